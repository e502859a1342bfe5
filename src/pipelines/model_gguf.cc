// SPDX-License-Identifier: EUPL-1.2
// A model as one GGUF v3 file (model-formats 6): metadata of its family, tokenizer, tensors.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "formats/gguf.h"
#include "pipelines/model_files.h"
#include "pipelines/row_stream.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

using Values = std::vector<std::pair<std::string, GgufValue>>;

uint32_t FileType(GgmlType type) {
  switch (type) {
    case GgmlType::kF32:
      return 0;
    case GgmlType::kF16:
      return 1;
    case GgmlType::kQ4_0:
      return 2;
    case GgmlType::kQ8_0:
      return 7;
    case GgmlType::kBF16:
      return 32;
    default:
      return 1;
  }
}

std::string Architecture(const ModelConfig& config) {
  return config.family == "mistral" ? "llama" : config.family;
}

const LayerConfig& GlobalLayer(const ModelConfig& config) {
  const auto global = std::ranges::find(config.layer, 0, &LayerConfig::window);
  return global == config.layer.end() ? config.layer[0] : *global;
}

void AddRope(const ModelConfig& c, const std::string& a, Values* values) {
  const LayerConfig& global = GlobalLayer(c);
  values->emplace_back(a + ".rope.freq_base", GgufValue::F32(global.rope_theta));
  values->emplace_back(a + ".rope.dimension_count",
                       GgufValue::U32(static_cast<uint32_t>(c.head_dim)));
  const Json* type = c.rope_scaling.Find("rope_type");
  if (!type) type = c.rope_scaling.Find("type");
  const std::string name = type && type->IsString() ? type->string() : "";
  if (name == "linear" || name == "yarn") {
    values->emplace_back(a + ".rope.scaling.type", GgufValue::String(name));
    const Json* factor = c.rope_scaling.Find("factor");
    values->emplace_back(a + ".rope.scaling.factor",
                         GgufValue::F32(static_cast<float>(factor ? factor->number()
                                                                  : global.rope_position_divisor)));
    const Json* original = c.rope_scaling.Find("original_max_position_embeddings");
    if (original && original->IsNumber()) {
      values->emplace_back(a + ".rope.scaling.original_context_length",
                           GgufValue::U32(static_cast<uint32_t>(original->number())));
    }
  }
}

void AddWindows(const ModelConfig& c, const std::string& a, Values* values) {
  const auto local = std::ranges::find_if(c.layer, [](const auto& l) { return l.window > 0; });
  if (local == c.layer.end()) return;
  values->emplace_back(a + ".attention.sliding_window",
                       GgufValue::U32(static_cast<uint32_t>(local->window)));
  if (c.family != "gemma3") return;
  const auto global = std::ranges::find(c.layer, 0, &LayerConfig::window);
  const auto period = static_cast<uint32_t>(
      global == c.layer.end() ? c.layer.size() + 1
                              : static_cast<size_t>(global - c.layer.begin()) + 1);
  values->emplace_back(a + ".attention.sliding_window_pattern", GgufValue::U32(period));
  values->emplace_back(a + ".rope.freq_base_swa", GgufValue::F32(local->rope_theta));
}

Values ModelValues(const ModelConfig& c, std::string_view name) {
  const std::string a = Architecture(c);
  Values values;
  const auto u32 = [&](const std::string& key, int value) {
    values.emplace_back(a + key, GgufValue::U32(static_cast<uint32_t>(value)));
  };
  values.emplace_back("general.architecture", GgufValue::String(a));
  values.emplace_back("general.type", GgufValue::String("model"));
  values.emplace_back("general.name", GgufValue::String(std::string(name)));
  u32(".context_length", c.max_positions);
  u32(".embedding_length", c.dim);
  u32(".block_count", c.layers);
  u32(".feed_forward_length", c.mlp_dim);
  u32(".attention.head_count", c.heads);
  u32(".attention.head_count_kv", c.kv_heads);
  u32(".attention.key_length", c.head_dim);
  u32(".attention.value_length", c.head_dim);
  u32(".vocab_size", c.vocab);
  values.emplace_back(a + ".attention.layer_norm_rms_epsilon", GgufValue::F32(c.eps));
  AddRope(c, a, &values);
  AddWindows(c, a, &values);
  if (c.attention_softcap > 0) {
    values.emplace_back(a + ".attn_logit_softcapping", GgufValue::F32(c.attention_softcap));
  }
  if (c.final_softcap > 0) {
    values.emplace_back(a + ".final_logit_softcapping", GgufValue::F32(c.final_softcap));
  }
  return values;
}

bool Has(const Values& values, std::string_view key) {
  return std::ranges::find(values, key, &Values::value_type::first) != values.end();
}

// A GGUF's own metadata is kept as it is; what speaks of the weights' types is said anew.
Values AllValues(const ModelSource& source, GgmlType type, std::string_view name) {
  Values values;
  if (source.checkpoint.layout() == Checkpoint::Layout::kGguf) {
    for (const auto& [key, value] : source.checkpoint.gguf().values()) {
      const bool of_file = key == "general.file_type" || key == "general.quantization_version" ||
                           key == "general.alignment" || key.starts_with("split.");
      if (!of_file) values.emplace_back(key, value);
    }
  } else {
    values = ModelValues(source.config, name);
    for (auto& entry : source.tokenizer.ToGguf()) values.push_back(std::move(entry));
    const auto& chat_template = source.tokenizer.chat_template();
    if (chat_template && !Has(values, "tokenizer.chat_template")) {
      values.emplace_back("tokenizer.chat_template", GgufValue::String(*chat_template));
    }
  }
  values.emplace_back("general.file_type", GgufValue::U32(FileType(type)));
  values.emplace_back("general.quantization_version", GgufValue::U32(2));
  return values;
}

GgmlType TypeFor(const ModelTensor& tensor, GgmlType type) {
  if (tensor.is_vector()) return GgmlType::kF32;
  const bool outer =
      tensor.role == ModelTensor::Role::kEmbedding || tensor.role == ModelTensor::Role::kHead;
  if (outer && type == GgmlType::kQ4_0) type = GgmlType::kQ8_0;
  return tensor.cols % InfoOf(type).block_elements == 0 ? type : GgmlType::kF16;
}

// Row of the file -> row in Hugging Face's order: rotation pairs (i, i + half) become adjacent.
int64_t PairedRow(int64_t row, int64_t rows, int heads) {
  if (heads == 0) return row;
  const int64_t head_dim = rows / heads, half = head_dim / 2;
  const int64_t head = row / head_dim, within = row % head_dim;
  return head * head_dim + (within % 2) * half + within / 2;
}

// GGUF has no key for the attention scale: readers take head_dim^-0.5, or (dim / heads)^-0.5 for
// the 27B Gemmas. What a model's own scale has beyond that is folded into its queries.
float QueryFactor(const ModelConfig& c) {
  const bool by_width =
      (c.family == "gemma3" && c.layers == 62) || (c.family == "gemma2" && c.layers == 46);
  const double implied = 1 / std::sqrt(by_width ? double(c.dim) / c.heads : double(c.head_dim));
  const double factor = c.attention_scale / implied;
  return std::abs(factor - 1) < 1e-6 ? 1.0f : static_cast<float>(factor);
}

// Normed queries carry the factor in their norm's gain, others in their projection.
bool CarriesQueryFactor(const ModelTensor& tensor, const ModelConfig& config) {
  if (tensor.layer < 0) return false;
  if (config.qk_norm) return tensor.role == ModelTensor::Role::kNorm && tensor.norm == NormSlot::kQ;
  return tensor.role != ModelTensor::Role::kNorm && tensor.projection == Projection::kQ;
}

std::vector<ModelTensor> WithFoldedScale(const std::vector<ModelTensor>& tensors,
                                         const ModelConfig& config) {
  std::vector<ModelTensor> folded = tensors;
  const float factor = QueryFactor(config);
  if (factor == 1) return folded;
  for (ModelTensor& tensor : folded) {
    if (!CarriesQueryFactor(tensor, config)) continue;
    tensor.replace = [read = RowsOf(tensor).read, factor](int64_t row, Vec out) {
      read(row, out);
      for (float& value : out) value *= factor;
    };
  }
  return folded;
}

// A vector is permuted element by element, a matrix row by row.
TensorRows GgufRows(const ModelTensor& tensor) {
  TensorRows rows = RowsOf(tensor);
  if (tensor.pair_heads == 0) return rows;
  const auto read = rows.read;
  const int heads = tensor.pair_heads;
  if (tensor.is_vector()) {
    rows.read = [read, heads](int64_t row, Vec out) {
      std::vector<float> straight(out.size());
      read(row, straight);
      const auto n = static_cast<int64_t>(out.size());
      for (int64_t i = 0; i < n; ++i) {
        out[static_cast<size_t>(i)] = straight[static_cast<size_t>(PairedRow(i, n, heads))];
      }
    };
  } else {
    rows.read = [read, heads, count = tensor.rows](int64_t row, Vec out) {
      read(PairedRow(row, count, heads), out);
    };
  }
  return rows;
}

GgufTensorToWrite ToWrite(const ModelTensor& tensor, GgmlType wanted,
                          const std::function<void()>& done) {
  GgufTensorToWrite out;
  out.name = tensor.gguf_name;
  out.type = TypeFor(tensor, wanted);
  out.shape = tensor.is_vector() ? std::vector<int64_t>{tensor.cols}
                                 : std::vector<int64_t>{tensor.rows, tensor.cols};
  const GgmlTypeInfo& info = InfoOf(out.type);
  const size_t row_bytes =
      static_cast<size_t>(tensor.cols) / info.block_elements * info.block_bytes;
  const bool as_it_is = !tensor.replace && !tensor.is_vector() &&
                        tensor.source.kind == StoredMatrix::Kind::kGgml &&
                        tensor.source.ggml == out.type;
  out.write = [tensor, type = out.type, row_bytes, as_it_is, done](const auto& sink) {
    if (as_it_is) {  // blocks are copied, not rounded a second time
      for (int64_t row = 0; row < tensor.rows; ++row) {
        sink(tensor.source.RawRow(PairedRow(row, tensor.rows, tensor.pair_heads)));
      }
    } else {
      StreamRows(
          GgufRows(tensor), row_bytes,
          [type](int64_t, ConstVec values, std::byte* bytes) { QuantizeGgml(type, values, bytes); },
          sink);
    }
    done();
  };
  return out;
}

// Divisors of the rotation's frequencies (llama3's rule), which the metadata cannot express.
void AddRopeDivisors(const ModelConfig& config, std::vector<GgufTensorToWrite>* tensors) {
  const std::vector<float>& divisors = GlobalLayer(config).rope_divisors;
  if (divisors.empty()) return;
  const Json* type = config.rope_scaling.Find("rope_type");
  if (type && type->IsString() && type->string() == "yarn") return;
  tensors->push_back({"rope_freqs.weight",
                      {static_cast<int64_t>(divisors.size())},
                      GgmlType::kF32,
                      [divisors](const auto& sink) { sink(std::as_bytes(std::span(divisors))); }});
}

}  // namespace

void WriteModelGguf(const fs::path& file, const ModelSource& source,
                    const std::vector<ModelTensor>& tensors, GgmlType type, std::string_view name,
                    Progress& progress) {
  std::error_code ignored;
  if (fs::equivalent(file, source.checkpoint.path(), ignored)) {
    Fail(file.string(), ": expected another file than the model's own, which would be overwritten ",
         "while it is read; choose a new name");
  }
  std::vector<GgufTensorToWrite> out;
  int64_t written = 0;
  const auto done = [&] { progress.Update(++written); };
  for (const ModelTensor& tensor : WithFoldedScale(tensors, source.config)) {
    out.push_back(ToWrite(tensor, type, done));
  }
  AddRopeDivisors(source.config, &out);
  progress.Begin("writing " + file.string(), static_cast<int64_t>(tensors.size()), "tensors");
  WriteGguf(file, AllValues(source, type, name), out);
  progress.End();
}

}  // namespace lem
