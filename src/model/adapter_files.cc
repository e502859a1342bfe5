// SPDX-License-Identifier: EUPL-1.2
// Which kind of adapter lies at a path, and what all kinds have in common.
#include "model/adapter_files.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.h"

namespace lem {
namespace {

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
}

}  // namespace

std::optional<LayerPath> ParseLayerPath(std::string_view name) {
  for (const std::string_view prefix :
       {"model.layers.", "language_model.model.layers.", "model.language_model.layers."}) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view tail = name.substr(prefix.size());
    LayerPath path;
    const auto [end, error] = std::from_chars(tail.data(), tail.data() + tail.size(), path.layer);
    const size_t digits = static_cast<size_t>(end - tail.data());
    if (error != std::errc() || digits >= tail.size() || tail[digits] != '.') return {};
    path.rest = tail.substr(digits + 1);
    return path;
  }
  return {};
}

void Offenders::Add(std::string_view name, std::string_view why) {
  lines_.push_back(std::string(name) + " (" + std::string(why) + ")");
}

void Offenders::AddShape(std::string_view name, const std::vector<int64_t>& found,
                         const std::vector<int64_t>& needed) {
  Add(name, "found " + ShapeText(found) + ", the model needs " + ShapeText(needed));
}

void Offenders::Throw(const std::string& where) const {
  if (lines_.empty()) return;
  std::string list;
  for (const std::string& line : lines_) list += "\n  " + line;
  Fail(where, ": ", lines_.size(), lines_.size() == 1 ? " tensor does" : " tensors do",
       " not fit this model; use the adapter with the model it was trained on:", list);
}

std::vector<float> ReadFloats(const TensorView& tensor, std::string_view where) {
  if (tensor.dtype != Dtype::kF32 && tensor.dtype != Dtype::kF16 && tensor.dtype != Dtype::kBF16) {
    Fail(where, ": expected F32, F16 or BF16 numbers, found ", NameOf(tensor.dtype));
  }
  std::vector<float> values(tensor.bytes.size() / SizeOf(tensor.dtype));
  ToFloat(tensor.dtype, tensor.bytes.data(), values);
  return values;
}

TensorToWrite FloatTensor(std::string name, std::vector<int64_t> shape,
                          std::function<std::vector<float>()> make) {
  return {.name = std::move(name),
          .dtype = Dtype::kF32,
          .shape = std::move(shape),
          .write = [make = std::move(make)](const auto& sink) {
            const std::vector<float> values = make();
            sink(std::as_bytes(std::span(values)));
          }};
}

std::vector<float> Transposed(ConstMat m) {
  std::vector<float> values(m.rows * m.cols);
  for (size_t r = 0; r < m.rows; ++r)
    for (size_t c = 0; c < m.cols; ++c) values[c * m.rows + r] = m.Row(r)[c];
  return values;
}

Adapter FromModules(const ModelConfig& config, TuneType type, float dropout,
                    std::vector<ForeignModule> modules, const std::string& where) {
  if (modules.empty()) Fail(where, ": the file holds no adapter tensors");
  AdapterShape shape{.type = type,
                     .rank = 0,
                     .scale = modules[0].scale,
                     .dropout = dropout,
                     .num_layers = 0,
                     .keys = {}};
  int lowest = config.layers;
  std::set<Projection> projections;
  for (const ForeignModule& m : modules) {
    shape.rank = std::max(shape.rank, static_cast<int>(m.rank));
    lowest = std::min(lowest, m.layer);
    projections.insert(m.projection);
    if (m.scale != 0) shape.scale = m.scale;
  }
  shape.num_layers = config.layers - lowest;
  for (const Projection p : projections) shape.keys.emplace_back(ProjectionPath(p));

  Adapter adapter(config, shape);
  std::set<const AdapterModule*> filled;
  for (const ForeignModule& from : modules) {
    for (AdapterModule& to : adapter.modules()) {
      if (to.layer != from.layer || to.projection != from.projection) continue;
      const size_t rank = static_cast<size_t>(from.rank), in = to.down.cols;
      const float ratio = from.scale / shape.scale;
      for (size_t r = 0; r < rank; ++r)
        std::copy_n(from.down.data() + r * in, in, to.down.Row(r).data());
      for (size_t o = 0; o < to.up.rows; ++o)
        for (size_t r = 0; r < rank; ++r) to.up.Row(o)[r] = from.up[o * rank + r] * ratio;
      std::copy(from.magnitude.begin(), from.magnitude.end(), to.magnitude.data());
      filled.insert(&to);
    }
  }
  if (type == TuneType::kDora && filled.size() != adapter.modules().size()) {
    Fail(where, ": a DoRA adapter of some layers or projections only is not supported: it has ",
         filled.size(), " of ", adapter.modules().size(), " modules");
  }
  return adapter;
}

Adapter Adapter::Load(const std::filesystem::path& path, const ModelConfig& config) {
  namespace fs = std::filesystem;
  if (path.extension() == ".gguf") return LoadGgufAdapter(path, config);
  const bool is_file = fs::is_regular_file(path);
  const fs::path folder = is_file ? path.parent_path() : path;
  const fs::path config_path = folder / "adapter_config.json";
  if (!fs::exists(path))
    Fail(path.string(), ": there is no such adapter; train one with lem train");
  if (!fs::exists(config_path)) {
    Fail(folder.string(), ": an adapter folder should hold adapter_config.json, found none");
  }
  const Json keys = Json::ParseFile(config_path.string());
  if (is_file) return LoadMlxAdapter(path, keys, config_path.string(), config);
  // A folder may serve both tools; the MLX file is the one we write ourselves.
  if (fs::exists(folder / "adapters.safetensors")) {
    return LoadMlxAdapter(folder / "adapters.safetensors", keys, config_path.string(), config);
  }
  if (fs::exists(folder / "adapter_model.safetensors"))
    return LoadPeftAdapter(folder, keys, config);
  Fail(folder.string(),
       ": expected adapters.safetensors (MLX) or adapter_model.safetensors (PEFT), "
       "found neither");
}

}  // namespace lem
