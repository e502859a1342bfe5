// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/model_record.h"

#include <span>

#include "backend/backend.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/threads.h"
#include "pipelines/run_record.h"

namespace lem {
namespace {

// Of the numbers and the shape, so that one adapter has one hash in every file format.
std::string AdapterHash(const Adapter& adapter) {
  const AdapterShape& shape = adapter.shape();
  Json form = Json::MakeObject();
  form.Set("type", Json(static_cast<int>(shape.type)));
  form.Set("rank", Json(shape.rank));
  form.Set("scale", Json(shape.scale));
  form.Set("num_layers", Json(shape.num_layers));
  Json keys = Json::MakeArray();
  for (const std::string& key : shape.keys) keys.Append(Json(key));
  form.Set("keys", std::move(keys));
  Sha256 hash;
  hash.Update(form.Dump());
  const ConstVec values = adapter.values();
  hash.Update(std::as_bytes(std::span(values.data(), values.size())));
  return hash.Hex();
}

std::string FileStem(const std::filesystem::path& path) {
  std::filesystem::path name = path.filename();
  if (name.empty()) name = path.parent_path().filename();  // "folder/"
  if (name.extension() == ".gguf") name = name.stem();
  return name.string();
}

}  // namespace

Json ModelRecord(const LoadedModel& model, const ModelOptions& options) {
  Json record = Json::MakeObject();
  record.Set("path", Json(model.checkpoint.path().string()));
  record.Set("family", Json(model.decoder->config().family));
  record.Set("parameters", Json(model.decoder->config().parameters()));
  record.Set("weights_sha256", Json(model.checkpoint.ContentHash()));
  record.Set("adapter_path", model.adapter ? Json(options.adapter_path) : Json());
  record.Set("adapter_sha256", model.adapter ? Json(AdapterHash(*model.adapter)) : Json());
  record.Set("tokenizer_sha256", Json(model.tokenizer.Hash()));
  const std::string& source = model.template_choice.source;
  record.Set("template", source.empty() ? Json() : Json(model.template_choice.origin));
  record.Set("template_sha256", source.empty() ? Json() : Json(Sha256Hex(source)));
  record.Set("dtype", Json(options.dtype));
  record.Set("kernels", Json(DescribeCpu().selected));
  return record;
}

Json ModelIdentity(const Json& record) {
  Json identity = Json::MakeObject();
  for (const char* key : {"weights_sha256", "adapter_sha256", "tokenizer_sha256", "template_sha256",
                          "dtype", "kernels"}) {
    const Json* value = record.Find(key);
    identity.Set(key, value == nullptr ? Json() : *value);
  }
  return identity;
}

Json MachineRecord() {
  const CpuInfo cpu = DescribeCpu();
  Json record = Json::MakeObject();
  record.Set("cpu", Json(cpu.model_name));
  record.Set("kernels", Json(cpu.selected));
  record.Set("threads", Json(Threads()));
  record.Set("memory_bytes", Json(TotalMemoryBytes()));
  return record;
}

std::string ModelName(const ModelOptions& options) {
  std::string name = FileStem(options.model);
  if (!options.adapter_path.empty()) name += "+" + FileStem(options.adapter_path);
  return name;
}

}  // namespace lem
