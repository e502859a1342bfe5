// SPDX-License-Identifier: EUPL-1.2
// llama.cpp's LoRA files (mlx-lm 6). For the architecture "llama" the rows of Wq and Wk are
// permuted in GGUF, and so are the rows of their corrections: those of lora_b.
#include <charconv>
#include <map>

#include "base/error.h"
#include "formats/gguf.h"
#include "formats/mapped_file.h"
#include "model/adapter_files.h"

namespace lem {
namespace {

std::string Architecture(const ModelConfig& config) {
  return config.family == "mistral" ? "llama" : config.family;
}

// Where our row `o` of up lies in the file.
int64_t FileRow(const ModelConfig& config, Projection projection, int64_t o) {
  StoredMatrix order;
  order.rows = ShapeOf(config, projection).out;
  if (Architecture(config) == "llama") {
    if (projection == Projection::kQ) order.adjacent_pair_heads = config.heads;
    if (projection == Projection::kK) order.adjacent_pair_heads = config.kv_heads;
  }
  return order.StoredRow(o);
}

// "blk.5.attn_q.weight.lora_a" -> layer 5, q, 'a'.
struct GgufLoraName {
  int layer = 0;
  Projection projection = Projection::kQ;
  char part = 'a';
};
std::optional<GgufLoraName> ParseName(std::string_view name) {
  GgufLoraName parsed;
  if (!name.starts_with("blk.")) return {};
  name.remove_prefix(4);
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), parsed.layer);
  if (error != std::errc()) return {};
  name.remove_prefix(static_cast<size_t>(end - name.data()));
  for (int p = 0; p < kProjections; ++p) {
    parsed.projection = static_cast<Projection>(p);
    const std::string stem =
        "." + std::string(ProjectionGgufName(parsed.projection)) + ".weight.lora_";
    if (!name.starts_with(stem) || name.size() != stem.size() + 1) continue;
    parsed.part = name.back();
    if (parsed.part == 'a' || parsed.part == 'b') return parsed;
  }
  return {};
}

std::vector<float> ReadTensor(const GgufTensor& tensor, const std::string& where) {
  if (!tensor.readable) Fail(where, ": ", tensor.name, " has a type that is not supported");
  int64_t count = 1;
  for (const int64_t size : tensor.shape) count *= size;
  std::vector<float> values(static_cast<size_t>(count));
  DequantizeGgml(tensor.type, tensor.bytes.data(), values);
  return values;
}

void CheckHeader(const Gguf& file, const ModelConfig& config) {
  const auto expect = [&](const char* key, const std::string& wanted) {
    const std::string* found = file.FindString(key);
    if (found && *found == wanted) return;
    Fail(file.name(), ": ", key, " should be \"", wanted, "\", found ",
         found ? "\"" + *found + "\"" : std::string("none"), "; is this a LoRA for this model?");
  };
  expect("general.type", "adapter");
  expect("adapter.type", "lora");
  expect("general.architecture", Architecture(config));
}

struct Parts {
  const GgufTensor *a = nullptr, *b = nullptr;
};

ForeignModule ReadModule(const ModelConfig& config, int layer, Projection projection,
                         const Parts& parts, double alpha, const std::string& where) {
  ForeignModule m{.layer = layer,
                  .projection = projection,
                  .scale = 1,
                  .rank = parts.a->shape[0],
                  .down = {},
                  .up = {},
                  .magnitude = {}};
  m.scale = alpha == 0 ? 1.0f : static_cast<float>(alpha / static_cast<double>(m.rank));
  m.down = ReadTensor(*parts.a, where);
  const std::vector<float> stored = ReadTensor(*parts.b, where);
  const auto rank = static_cast<size_t>(m.rank);
  m.up.resize(stored.size());
  for (size_t o = 0; o < stored.size() / rank; ++o) {
    const auto row = static_cast<size_t>(FileRow(config, projection, static_cast<int64_t>(o)));
    std::copy_n(stored.data() + row * rank, rank, m.up.data() + o * rank);
  }
  return m;
}

}  // namespace

Adapter LoadGgufAdapter(const std::filesystem::path& path, const ModelConfig& config) {
  const MappedFile mapped(path);
  const Gguf file = Gguf::Parse(mapped.bytes(), path.string());
  CheckHeader(file, config);
  double alpha = 0;
  if (!file.FindNumber("adapter.lora.alpha", &alpha)) {
    Fail(path.string(), ": adapter.lora.alpha is missing; is this a LoRA?");
  }
  Offenders offenders;
  std::map<std::pair<int, Projection>, Parts> found;
  for (const GgufTensor& tensor : file.tensors()) {
    const std::optional<GgufLoraName> name = ParseName(tensor.name);
    if (!name || name->layer < 0 || name->layer >= config.layers) {
      offenders.Add(tensor.name, "the model has nothing of this name that can be adapted");
      continue;
    }
    (name->part == 'a' ? found[{name->layer, name->projection}].a
                       : found[{name->layer, name->projection}].b) = &tensor;
  }
  std::vector<ForeignModule> modules;
  for (const auto& [key, parts] : found) {
    const std::string stem = GgufName(key.second, key.first) + ".weight.lora_";
    if (parts.a == nullptr) offenders.Add(stem + "a", "missing");
    if (parts.b == nullptr) offenders.Add(stem + "b", "missing");
    if (parts.a == nullptr || parts.b == nullptr) continue;
    const TensorShape shape = ShapeOf(config, key.second);
    const int64_t rank = parts.a->shape.empty() ? 0 : parts.a->shape[0];
    const std::vector<int64_t> a = {rank, shape.in}, b = {shape.out, rank};
    if (parts.a->shape != a || rank < 1) {
      offenders.AddShape(stem + "a", parts.a->shape, a);
    } else if (parts.b->shape != b) {
      offenders.AddShape(stem + "b", parts.b->shape, b);
    } else {
      modules.push_back(ReadModule(config, key.first, key.second, parts, alpha, path.string()));
    }
  }
  offenders.Throw(path.string());
  return FromModules(config, TuneType::kLora, 0, std::move(modules), path.string());
}

void Adapter::SaveGguf(const std::filesystem::path& file, const ModelConfig& config) const {
  if (shape_.type != TuneType::kLora) {
    Fail(file.string(), ": GGUF knows LoRA adapters only; fuse a DoRA or full fine-tune instead");
  }
  const std::vector<std::pair<std::string, GgufValue>> values = {
      {"general.type", GgufValue::String("adapter")},
      {"general.architecture", GgufValue::String(Architecture(config))},
      {"adapter.type", GgufValue::String("lora")},
      {"adapter.lora.alpha", GgufValue::F32(shape_.scale * static_cast<float>(shape_.rank))}};
  std::vector<GgufTensorToWrite> tensors;
  const auto add = [&](std::string name, ConstMat m, std::function<int64_t(int64_t)> file_row) {
    tensors.push_back({.name = std::move(name),
                       .shape = {static_cast<int64_t>(m.rows), static_cast<int64_t>(m.cols)},
                       .type = GgmlType::kF32,
                       .write = [m, file_row = std::move(file_row)](const auto& sink) {
                         std::vector<float> all(m.rows * m.cols);
                         for (size_t r = 0; r < m.rows; ++r) {
                           const auto to = static_cast<size_t>(file_row(static_cast<int64_t>(r)));
                           std::copy_n(m.Row(r).data(), m.cols, all.data() + to * m.cols);
                         }
                         sink(std::as_bytes(std::span(all)));
                       }});
  };
  for (const AdapterModule& m : modules_) {
    const std::string name = GgufName(m.projection, m.layer) + ".weight.lora_";
    add(name + "a", m.down, [](int64_t r) { return r; });
    add(name + "b", m.up, [&config, p = m.projection](int64_t o) { return FileRow(config, p, o); });
  }
  WriteGguf(file, values, tensors);
}

}  // namespace lem
