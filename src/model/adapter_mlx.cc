// SPDX-License-Identifier: EUPL-1.2
// mlx-lm's adapters: lora_a is (in, rank), lora_b (rank, out), each the transpose of ours; full
// tuning saves whole tensors under their own names (mlx-lm 1.4, 2.10).
#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.h"
#include "formats/mapped_file.h"
#include "model/adapter_files.h"

namespace lem {
namespace {

const char* TypeName(TuneType type) {
  switch (type) {
    case TuneType::kLora:
      return "lora";
    case TuneType::kDora:
      return "dora";
    case TuneType::kFull:
      return "full";
  }
  LEM_CHECK(false);
}

TuneType TypeByName(const std::string& name, const std::string& where) {
  for (const TuneType type : {TuneType::kLora, TuneType::kDora, TuneType::kFull}) {
    if (name == TypeName(type)) return type;
  }
  Fail(where, ": fine_tune_type should be lora, dora or full, found \"", name, "\"");
}

AdapterShape ReadShape(const Json& keys, const std::string& where) {
  AdapterShape shape;
  const Json* type = keys.Find("fine_tune_type");
  shape.type = type ? TypeByName(type->AsString(where), where) : TuneType::kLora;
  shape.num_layers = static_cast<int>(
      std::clamp<int64_t>(keys.At("num_layers", where).AsInteger(where), -1, 1 << 20));
  if (shape.type == TuneType::kFull) return shape;
  const Json& lora = keys.At("lora_parameters", where);
  const std::string inside = where + ": lora_parameters";
  shape.rank =
      static_cast<int>(std::clamp<int64_t>(lora.At("rank", inside).AsInteger(inside), -1, 1 << 20));
  shape.scale = static_cast<float>(lora.At("scale", inside).AsNumber(inside));
  if (const Json* dropout = lora.Find("dropout")) {
    shape.dropout = static_cast<float>(dropout->AsNumber(inside));
  }
  const Json* names = lora.Find("keys");
  if (names == nullptr || names->IsNull()) return shape;
  for (const Json& name : names->AsArray(inside)) shape.keys.push_back(name.AsString(inside));
  return shape;
}

std::vector<int64_t> ShapeOfMat(const Mat& m, bool transposed) {
  const auto rows = static_cast<int64_t>(m.rows), cols = static_cast<int64_t>(m.cols);
  return transposed ? std::vector<int64_t>{cols, rows} : std::vector<int64_t>{rows, cols};
}

// Puts tensors where their names say.
class MlxReader {
 public:
  MlxReader(const ModelConfig& config, Adapter* adapter) : config_(config), adapter_(*adapter) {}

  void Read(const std::string& name, const TensorView& tensor) {
    const std::optional<LayerPath> path = ParseLayerPath(name);
    const size_t dot = path ? path->rest.rfind('.') : std::string_view::npos;
    if (dot == std::string_view::npos) return offenders_.Add(name, "no part of a block");
    const std::string_view module = path->rest.substr(0, dot), leaf = path->rest.substr(dot + 1);
    const bool found = adapter_.shape().type == TuneType::kFull
                           ? ReadTensor(name, *path, module, leaf, tensor)
                           : ReadModule(name, path->layer, module, leaf, tensor);
    if (!found) offenders_.Add(name, "the adapter's configuration has no such tensor");
  }

  void Finish(const std::string& where) {
    CheckPairs();
    offenders_.Throw(where);
  }

 private:
  bool ReadModule(const std::string& name, int layer, std::string_view module,
                  std::string_view leaf, const TensorView& tensor) {
    for (AdapterModule& m : adapter_.modules()) {
      if (m.layer != layer || ProjectionPath(m.projection) != module) continue;
      if (leaf == "lora_a") return Fill(name, tensor, m.down, true);
      if (leaf == "lora_b") return Fill(name, tensor, m.up, true);
      if (leaf == "m" && !m.magnitude.empty()) {
        return FillVector(name, tensor, m.magnitude, 0);
      }
      return false;
    }
    return false;
  }

  bool ReadTensor(const std::string& name, const LayerPath& path, std::string_view module,
                  std::string_view leaf, const TensorView& tensor) {
    for (TrainedTensor& t : adapter_.tensors()) {
      if (t.layer != path.layer) continue;
      if (t.is_norm) {
        const std::string expected = HfNormName(config_, t.norm, t.layer);
        if (ParseLayerPath(expected)->rest != path.rest) continue;
        return FillVector(name, tensor, t.value.Row(0), config_.norm_plus_one ? 1.0f : 0.0f);
      }
      if (ProjectionPath(t.projection) != module || (leaf == "bias") != t.is_bias) continue;
      if (t.is_bias) return FillVector(name, tensor, t.value.Row(0), 0);
      return leaf == "weight" && Fill(name, tensor, t.value, false);
    }
    return false;
  }

  bool Fill(const std::string& name, const TensorView& tensor, Mat to, bool transposed) {
    seen_.insert(to.data);
    const std::vector<int64_t> needed = ShapeOfMat(to, transposed);
    if (tensor.shape != needed) return offenders_.AddShape(name, tensor.shape, needed), true;
    const std::vector<float> values = ReadFloats(tensor, name);
    for (size_t r = 0; r < to.rows; ++r)
      for (size_t c = 0; c < to.cols; ++c)
        to.Row(r)[c] = values[transposed ? c * to.rows + r : r * to.cols + c];
    return true;
  }

  bool FillVector(const std::string& name, const TensorView& tensor, Vec to, float plus) {
    seen_.insert(to.data());
    const std::vector<int64_t> needed = {static_cast<int64_t>(to.size())};
    if (tensor.shape != needed) return offenders_.AddShape(name, tensor.shape, needed), true;
    const std::vector<float> values = ReadFloats(tensor, name);
    for (size_t i = 0; i < to.size(); ++i) to[i] = values[i] + plus;
    return true;
  }

  // A LoRA module may be missing as a whole (it then changes nothing), but not by half. DoRA's
  // magnitudes and full tensors have no such neutral value.
  void CheckPairs() {
    const auto missing = [&](const float* data) { return !seen_.contains(data); };
    for (const AdapterModule& m : adapter_.modules()) {
      const std::string name = HfName(m.projection, m.layer);
      const bool whole = !m.magnitude.empty() || !missing(m.down.data) || !missing(m.up.data);
      if (!whole) continue;
      if (missing(m.down.data)) offenders_.Add(name + ".lora_a", "missing");
      if (missing(m.up.data)) offenders_.Add(name + ".lora_b", "missing");
      if (!m.magnitude.empty() && missing(m.magnitude.data()))
        offenders_.Add(name + ".m", "missing");
    }
    for (const TrainedTensor& t : adapter_.tensors()) {
      if (missing(t.value.data)) {
        offenders_.Add(t.is_norm
                           ? HfNormName(config_, t.norm, t.layer)
                           : HfName(t.projection, t.layer) + (t.is_bias ? ".bias" : ".weight"),
                       "missing");
      }
    }
  }

  const ModelConfig& config_;
  Adapter& adapter_;
  Offenders offenders_;
  std::set<const float*> seen_;
};

// "model.layers.3..." under the prefix that mlx-lm gives this model.
std::string MlxName(const ModelConfig& config, const std::string& name) {
  constexpr std::string_view kModel = "model.";
  return config.mlx_prefix + name.substr(kModel.size());
}

}  // namespace

Adapter LoadMlxAdapter(const std::filesystem::path& weights, const Json& keys,
                       const std::string& config_path, const ModelConfig& config) {
  Adapter adapter(config, ReadShape(keys, config_path));
  const MappedFile file(weights);
  const Safetensors tensors = Safetensors::Parse(file.bytes(), weights.string());
  if (tensors.tensors().empty()) Fail(weights.string(), ": the file holds no adapter tensors");
  MlxReader reader(config, &adapter);
  for (const auto& [name, tensor] : tensors.tensors()) reader.Read(name, tensor);
  reader.Finish(weights.string());
  return adapter;
}

void Adapter::SaveMlx(const std::filesystem::path& file) const {
  std::vector<TensorToWrite> tensors;
  const auto matrix = [&](const std::string& name, ConstMat m) {  // transposed
    tensors.push_back(FloatTensor(MlxName(*config_, name),
                                  {static_cast<int64_t>(m.cols), static_cast<int64_t>(m.rows)},
                                  [m] { return Transposed(m); }));
  };
  const auto vector = [&](const std::string& name, ConstVec v, float plus) {
    tensors.push_back(FloatTensor(MlxName(*config_, name), {static_cast<int64_t>(v.size())}, [=] {
      std::vector<float> values(v.begin(), v.end());
      for (float& value : values) value += plus;
      return values;
    }));
  };
  for (const AdapterModule& m : modules_) {
    const std::string name = HfName(m.projection, m.layer);
    matrix(name + ".lora_a", m.down);
    matrix(name + ".lora_b", m.up);
    if (!m.magnitude.empty()) vector(name + ".m", m.magnitude, 0);
  }
  for (const TrainedTensor& t : tensors_) {
    const ConstMat value = t.value;
    if (t.is_norm) {
      vector(HfNormName(*config_, t.norm, t.layer), value.Row(0),
             config_->norm_plus_one ? -1.0f : 0.0f);
    } else if (t.is_bias) {
      vector(HfName(t.projection, t.layer) + ".bias", value.Row(0), 0);
    } else {
      tensors.push_back(FloatTensor(
          MlxName(*config_, HfName(t.projection, t.layer) + ".weight"),
          {static_cast<int64_t>(value.rows), static_cast<int64_t>(value.cols)}, [value] {
            return std::vector<float>(value.data, value.data + value.rows * value.cols);
          }));
    }
  }
  WriteSafetensors(file, tensors, {});
}

Json Adapter::MlxConfigKeys(const AdapterShape& shape) {
  const auto number = [](float value) {  // 0.1, not 0.10000000149
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    double shortest = 0;
    std::from_chars(text, end, shortest);
    return Json(shortest);
  };
  Json json = Json::MakeObject();
  json.Set("fine_tune_type", TypeName(shape.type));
  json.Set("num_layers", shape.num_layers);
  if (shape.type == TuneType::kFull) {
    json.Set("lora_parameters", nullptr);
    return json;
  }
  Json lora = Json::MakeObject();
  lora.Set("rank", shape.rank);
  lora.Set("scale", number(shape.scale));
  lora.Set("dropout", number(shape.dropout));
  // Always explicit: what no keys mean has changed between versions of mlx-lm.
  Json keys = Json::MakeArray();
  for (int p = 0; p < kProjections; ++p) {
    const std::string_view path = ProjectionPath(static_cast<Projection>(p));
    if (shape.keys.empty() ||
        std::find(shape.keys.begin(), shape.keys.end(), path) != shape.keys.end()) {
      keys.Append(path);
    }
  }
  lora.Set("keys", keys);
  json.Set("lora_parameters", lora);
  return json;
}

}  // namespace lem
