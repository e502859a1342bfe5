// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/state.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "formats/mapped_file.h"
#include "formats/safetensors.h"

namespace lem {
namespace {

constexpr std::string_view kFormat = "lem train state 1";

// Options that may change between a run and its continuation: they do not enter the arithmetic.
// model and data may have moved; their hashes are compared instead.
constexpr std::string_view kFree[] = {"iters",
                                      "epochs",
                                      "steps_per_report",
                                      "save_every",
                                      "adapter_path",
                                      "model",
                                      "data",
                                      "config",
                                      "report_to",
                                      "project_name",
                                      "test",
                                      "test_batches",
                                      "train",
                                      "resume_adapter_file",
                                      "trust_remote_code",
                                      "clear_cache_threshold",
                                      "device"};

template <class Element>
TensorToWrite Flat(std::string name, Dtype dtype, std::span<const Element> values) {
  return {std::move(name),
          dtype,
          {static_cast<int64_t>(values.size())},
          [values](const std::function<void(std::span<const std::byte>)>& sink) {
            sink(std::as_bytes(values));
          }};
}

template <class Element>
std::vector<Element> ReadFlat(const TensorView& tensor, Dtype dtype, std::string_view where) {
  if (tensor.dtype != dtype || tensor.shape.size() != 1) {
    Fail(where, ": expected a flat tensor of ", NameOf(dtype), ", found ", NameOf(tensor.dtype));
  }
  std::vector<Element> values(tensor.bytes.size() / sizeof(Element));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

Json OptionalNumber(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

MlxDraws ReadDraws(const Safetensors& file, const Json& json, const std::string& where) {
  MlxDraws draws;
  const auto words = ReadFlat<uint32_t>(file.Get("numpy.words"), Dtype::kU32, where);
  if (words.size() != draws.random.words.size()) Fail(where, ": numpy.words: expected 624 words");
  std::ranges::copy(words, draws.random.words.begin());
  const int64_t position = json.At("numpy_position", where).AsInteger(where);
  if (position < 0 || position > 624) Fail(where, ": numpy_position: found ", position);
  draws.random.position = static_cast<uint32_t>(position);
  draws.permutation = ReadFlat<int32_t>(file.Get("numpy.permutation"), Dtype::kI32, where);
  const int64_t used = json.At("permutation_used", where).AsInteger(where);
  if (used < 0 || used > static_cast<int64_t>(draws.permutation.size())) {
    Fail(where, ": permutation_used: found ", used, " of ", draws.permutation.size());
  }
  draws.used = static_cast<size_t>(used);
  return draws;
}

std::string Text(const Json& json, std::string_view key, const std::string& where) {
  return json.At(key, where).AsString(where + ": " + std::string(key));
}

}  // namespace

Json RunIdentity::ToJson() const {
  return Json(Json::Object{{"options", options},
                           {"model_sha256", model_hash},
                           {"tokenizer_sha256", tokenizer_hash},
                           {"template_sha256", template_hash},
                           {"train_sha256", train_hash},
                           {"valid_sha256", valid_hash}});
}

Json Counters::ToJson() const {
  return Json(Json::Object{{"iteration", iteration},
                           {"trained_tokens", trained_tokens},
                           {"skipped", skipped},
                           {"window_steps", window_steps},
                           {"window_tokens", window_tokens},
                           {"window_bad", window_bad},
                           {"report_loss", report_loss},
                           {"report_tokens", report_tokens},
                           {"report_steps", report_steps},
                           {"best_loss", OptionalNumber(best_loss)},
                           {"best_iteration", best_iteration},
                           {"validations_since_best", validations_since_best},
                           {"stopped_early", stopped_early},
                           {"after_step_pending", after_step_pending}});
}

Counters Counters::FromJson(const Json& json, std::string_view where) {
  const auto integer = [&](std::string_view key) { return json.At(key, where).AsInteger(where); };
  const auto flag = [&](std::string_view key) { return json.At(key, where).AsBool(where); };
  Counters c;
  c.iteration = integer("iteration");
  c.trained_tokens = integer("trained_tokens");
  c.skipped = integer("skipped");
  c.window_steps = integer("window_steps");
  c.window_tokens = integer("window_tokens");
  c.window_bad = flag("window_bad");
  c.report_loss = json.At("report_loss", where).AsNumber(where);
  c.report_tokens = integer("report_tokens");
  c.report_steps = integer("report_steps");
  if (const Json& best = json.At("best_loss", where); !best.IsNull()) {
    c.best_loss = best.AsNumber(where);
  }
  c.best_iteration = integer("best_iteration");
  c.validations_since_best = integer("validations_since_best");
  c.stopped_early = flag("stopped_early");
  c.after_step_pending = flag("after_step_pending");
  return c;
}

std::filesystem::path StateFile(const std::filesystem::path& folder) {
  return folder / "state.safetensors";
}

void SaveState(const std::filesystem::path& folder, const RunStateView& state) {
  Json json(Json::Object{{"identity", state.identity.ToJson()},
                         {"counters", state.counters.ToJson()},
                         {"updates", state.updates}});
  std::vector<TensorToWrite> tensors;
  tensors.push_back(Flat<float>("values", Dtype::kF32, state.values));
  if (state.counters.window_steps > 0) {
    tensors.push_back(Flat<float>("gradients", Dtype::kF32, state.gradients));
  }
  for (const Optimizer::StateVector& vector : state.optimizer) {
    tensors.push_back(
        Flat<float>("optimizer." + std::string(vector.name), Dtype::kF32, ConstVec(vector.values)));
  }
  if (state.draws) {
    json.Set("numpy_position", static_cast<int64_t>(state.draws->random.position));
    json.Set("permutation_used", static_cast<int64_t>(state.draws->used));
    tensors.push_back(Flat<uint32_t>("numpy.words", Dtype::kU32, state.draws->random.words));
    tensors.push_back(Flat<int>("numpy.permutation", Dtype::kI32, state.draws->permutation));
  }
  WriteSafetensors(StateFile(folder), tensors,
                   {{"format", std::string(kFormat)}, {"state", json.Dump()}});
}

RunState LoadState(const std::filesystem::path& folder) {
  const std::filesystem::path path = StateFile(folder);
  if (!std::filesystem::exists(path)) {
    Fail(folder.string(),
         ": expected state.safetensors of an earlier run, found none; nothing was ",
         "done there yet (or by another program): start the run again, or continue from its ",
         "weights alone with --resume-adapter-file");
  }
  const std::string where = path.string();
  const MappedFile mapped(path);
  const Safetensors file = Safetensors::Parse(mapped.bytes(), where);
  const auto format = file.metadata().find("format");
  const auto text = file.metadata().find("state");
  if (format == file.metadata().end() || format->second != kFormat ||
      text == file.metadata().end()) {
    Fail(where, ": expected \"", kFormat, "\" in its metadata, found ",
         format == file.metadata().end() ? "none" : format->second,
         "; it was written by another version: finish the run with that one");
  }
  const Json json = Json::Parse(text->second, where);
  RunState state;
  const Json& identity = json.At("identity", where);
  state.identity.options = identity.At("options", where);
  state.identity.model_hash = Text(identity, "model_sha256", where);
  state.identity.tokenizer_hash = Text(identity, "tokenizer_sha256", where);
  state.identity.template_hash = Text(identity, "template_sha256", where);
  state.identity.train_hash = Text(identity, "train_sha256", where);
  state.identity.valid_hash = Text(identity, "valid_sha256", where);
  state.counters = Counters::FromJson(json.At("counters", where), where);
  state.updates = static_cast<uint64_t>(json.At("updates", where).AsInteger(where));
  state.values = ReadFlat<float>(file.Get("values"), Dtype::kF32, where);
  if (state.counters.window_steps > 0) {
    state.gradients = ReadFlat<float>(file.Get("gradients"), Dtype::kF32, where);
  }
  for (const auto& [name, tensor] : file.tensors()) {
    if (name.starts_with("optimizer.")) {
      state.optimizer[name.substr(10)] = ReadFlat<float>(tensor, Dtype::kF32, where);
    }
  }
  if (file.Find("numpy.words")) state.draws = ReadDraws(file, json, where);
  return state;
}

TrainOptions LoadRunOptions(const std::filesystem::path& folder) {
  const RunState state = LoadState(folder);
  TrainOptions options;
  ApplyYaml(state.identity.options, StateFile(folder).string(), &options);
  options.resume = folder.string();
  options.adapter_path = folder.string();
  options.resume_adapter_file.clear();  // its weights are in the state
  return options;
}

void CheckContinues(const RunIdentity& saved, const RunIdentity& now) {
  for (const auto& [key, value] : saved.options.object()) {
    if (std::ranges::find(kFree, key) != std::end(kFree)) continue;
    const Json* other = now.options.Find(key);
    if (!other || other->Dump() != value.Dump()) {
      FailUsage("--resume: ", key, " was ", value.Dump(), " when the run began, and is now ",
                other ? other->Dump() : "missing",
                "; a continued run keeps it: leave the flag out");
    }
  }
  const auto same = [](const std::string& before, const std::string& after, const char* what) {
    if (before != after) {
      Fail("--resume: the ", what, " has changed since the run began (SHA-256 was ",
           before.substr(0, 12), ", is ", after.substr(0, 12), "); restore it, or start a new run");
    }
  };
  same(saved.model_hash, now.model_hash, "model");
  same(saved.tokenizer_hash, now.tokenizer_hash, "tokenizer");
  same(saved.template_hash, now.template_hash, "chat template");
  same(saved.train_hash, now.train_hash, "training data");
  same(saved.valid_hash, now.valid_hash, "validation data");
}

}  // namespace lem
