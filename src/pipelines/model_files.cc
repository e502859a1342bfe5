// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/model_files.h"

#include <algorithm>

#include "base/error.h"
#include "formats/safetensors.h"
#include "pipelines/model_config_files.h"
#include "pipelines/row_stream.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

// A folder's Gemma norms hold w where the model multiplies by 1 + w.
TensorRows FolderRows(const ModelTensor& tensor) {
  TensorRows rows = RowsOf(tensor);
  if (!tensor.folder_minus_one) return rows;
  if (!tensor.replace) {
    StoredMatrix source = tensor.source;
    source.plus -= 1;  // exactly what the file held, if it held w
    rows.read = [source](int64_t row, Vec out) { ReadRow(source, row, out); };
    return rows;
  }
  rows.read = [read = rows.read](int64_t row, Vec out) {
    read(row, out);
    for (float& value : out) value -= 1;
  };
  return rows;
}

using Sink = std::function<void(std::span<const std::byte>)>;

TensorToWrite PlainTensor(const ModelTensor& tensor, Dtype dtype,
                          const std::function<void()>& done) {
  TensorToWrite out;
  out.name = tensor.hf_name;
  out.dtype = dtype;
  out.shape = tensor.is_vector() ? std::vector<int64_t>{tensor.cols}
                                 : std::vector<int64_t>{tensor.rows, tensor.cols};
  out.write = [rows = FolderRows(tensor), dtype, done](const Sink& sink) {
    StreamRows(
        rows, static_cast<size_t>(rows.cols) * SizeOf(dtype),
        [dtype](int64_t, ConstVec values, std::byte* bytes) { FromFloat(values, dtype, bytes); },
        sink);
    done();
  };
  return out;
}

// weight, scales, biases. The file takes them in this order, so that the scales wait in memory
// while the weight streams: rows * cols / group_size numbers.
std::vector<TensorToWrite> AffineTensors(const ModelTensor& tensor, AffineFormat format,
                                         const FolderFormat& folder,
                                         const std::function<void()>& done) {
  const StoredMatrix& source = tensor.source;
  const std::string module = tensor.module();
  const int64_t groups = tensor.cols / format.group_size;
  const int64_t words = tensor.cols * format.bits / 32;
  const bool as_it_is = !tensor.replace && source.kind == StoredMatrix::Kind::kAffine &&
                        source.affine.bits == format.bits &&
                        source.affine.group_size == format.group_size &&
                        source.dtype == folder.dtype;
  if (as_it_is) {
    const auto copy = [](std::span<const std::byte> bytes) {
      return [bytes](const Sink& sink) { sink(bytes); };
    };
    return {{module + ".weight", Dtype::kU32, {tensor.rows, words}, copy(source.bytes)},
            {module + ".scales", source.dtype, {tensor.rows, groups}, copy(source.scales)},
            {module + ".biases",
             source.dtype,
             {tensor.rows, groups},
             [bytes = source.biases, done](const Sink& sink) {
               sink(bytes);
               done();
             }}};
  }
  struct Waiting {
    std::vector<std::byte> scales, biases;
  };
  const auto waiting = std::make_shared<Waiting>();
  const size_t row_bytes = static_cast<size_t>(groups) * SizeOf(folder.dtype);
  const auto write_weight = [rows = RowsOf(tensor), format, rule = folder.rule, waiting, groups,
                             row_bytes, words, dtype = folder.dtype](const Sink& sink) {
    waiting->scales.resize(static_cast<size_t>(rows.rows) * row_bytes);
    waiting->biases.resize(static_cast<size_t>(rows.rows) * row_bytes);
    const auto encode = [&](int64_t row, ConstVec values, std::byte* bytes) {
      std::vector<float> scales(static_cast<size_t>(groups)), biases(static_cast<size_t>(groups));
      std::vector<uint32_t> packed(static_cast<size_t>(words));
      QuantizeAffine(format, rule, values, packed, scales, biases);
      std::ranges::copy(std::as_bytes(std::span(packed)), bytes);
      const size_t at = static_cast<size_t>(row) * row_bytes;
      FromFloat(scales, dtype, waiting->scales.data() + at);
      FromFloat(biases, dtype, waiting->biases.data() + at);
    };
    StreamRows(rows, static_cast<size_t>(words) * 4, encode, sink);
  };
  const auto release = [](std::vector<std::byte>& bytes, const Sink& sink) {
    sink(bytes);
    std::vector<std::byte>().swap(bytes);
  };
  return {{module + ".weight", Dtype::kU32, {tensor.rows, words}, write_weight},
          {module + ".scales",
           folder.dtype,
           {tensor.rows, groups},
           [waiting, release](const Sink& sink) { release(waiting->scales, sink); }},
          {module + ".biases",
           folder.dtype,
           {tensor.rows, groups},
           [waiting, release, done](const Sink& sink) {
             release(waiting->biases, sink);
             done();
           }}};
}

// The loaders of mlx-lm take every model*.safetensors that lies in a folder.
void RemoveOldWeights(const fs::path& folder) {
  if (!fs::is_directory(folder)) return;
  std::vector<fs::path> old;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool weights = name.starts_with("model") && (name.ends_with(".safetensors") ||
                                                       name.ends_with(".safetensors.index.json"));
    if (weights || name == "config.json") old.push_back(entry.path());
  }
  for (const fs::path& path : old) fs::remove(path);
}

ModelTensor Matrix(ModelTensor::Role role, std::string hf, std::string gguf,
                   const StoredMatrix& source) {
  ModelTensor tensor;
  tensor.role = role;
  tensor.hf_name = std::move(hf);
  tensor.gguf_name = std::move(gguf);
  tensor.source = source;
  tensor.rows = source.rows;
  tensor.cols = source.cols;
  return tensor;
}

ModelTensor Vector(ModelTensor::Role role, std::string hf, std::string gguf,
                   const StoredMatrix& source) {
  ModelTensor tensor = Matrix(role, std::move(hf), std::move(gguf), source);
  tensor.cols = source.rows * source.cols;  // some biases lie as columns
  tensor.rows = 1;
  return tensor;
}

int PairHeads(const ModelConfig& config, Projection projection) {
  if (config.family != "llama" && config.family != "mistral") return 0;
  if (projection == Projection::kQ) return config.heads;
  return projection == Projection::kK ? config.kv_heads : 0;
}

void ListBlock(const ModelConfig& config, const WeightMap::Block& block, int layer,
               std::vector<ModelTensor>* tensors) {
  using Role = ModelTensor::Role;
  for (int n = 0; n < kNormSlots; ++n) {
    if (!block.norm[n]) continue;
    const auto slot = static_cast<NormSlot>(n);
    tensors->push_back(Vector(Role::kNorm, HfNormName(config, slot, layer),
                              GgufNormName(config, slot, layer), *block.norm[n]));
    tensors->back().layer = layer;
    tensors->back().norm = slot;
    tensors->back().folder_minus_one = config.norm_plus_one;
  }
  for (int p = 0; p < kProjections; ++p) {
    const auto projection = static_cast<Projection>(p);
    const std::string hf = HfName(projection, layer), gguf = GgufName(projection, layer);
    tensors->push_back(
        Matrix(Role::kProjection, hf + ".weight", gguf + ".weight", block.projection[p]));
    const size_t with_bias = block.bias[p] ? 2 : 1;
    if (block.bias[p]) {
      tensors->push_back(Vector(Role::kBias, hf + ".bias", gguf + ".bias", *block.bias[p]));
    }
    for (size_t i = tensors->size() - with_bias; i < tensors->size(); ++i) {
      (*tensors)[i].layer = layer;
      (*tensors)[i].projection = projection;
      (*tensors)[i].pair_heads = PairHeads(config, projection);
    }
  }
}

}  // namespace

std::string ModelTensor::module() const { return hf_name.substr(0, hf_name.rfind('.')); }

std::vector<ModelTensor> ListTensors(const ModelConfig& config, const WeightMap& weights) {
  using Role = ModelTensor::Role;
  std::vector<ModelTensor> tensors;
  tensors.push_back(Matrix(Role::kEmbedding, "model.embed_tokens.weight", "token_embd.weight",
                           weights.embedding));
  for (int layer = 0; layer < config.layers; ++layer) {
    ListBlock(config, weights.blocks[static_cast<size_t>(layer)], layer, &tensors);
  }
  tensors.push_back(
      Vector(Role::kNorm, "model.norm.weight", "output_norm.weight", weights.final_norm));
  tensors.back().folder_minus_one = config.norm_plus_one;
  // A tied model is written without a head: strict loaders refuse one.
  if (weights.head && !config.tied) {
    tensors.push_back(Matrix(Role::kHead, "lm_head.weight", "output.weight", *weights.head));
  }
  return tensors;
}

Dtype NaturalDtype(const StoredMatrix& matrix) {
  if (matrix.kind == StoredMatrix::Kind::kGgml) {
    if (matrix.ggml == GgmlType::kF32) return Dtype::kF32;
    return matrix.ggml == GgmlType::kF16 ? Dtype::kF16 : Dtype::kBF16;
  }
  return matrix.dtype == Dtype::kF32 || matrix.dtype == Dtype::kF16 ? matrix.dtype : Dtype::kBF16;
}

void WriteModelFolder(const fs::path& folder, const ModelSource& source,
                      const std::vector<ModelTensor>& tensors, const FolderFormat& format,
                      Progress& progress) {
  std::error_code ignored;
  if (fs::equivalent(folder, source.checkpoint.path(), ignored)) {
    Fail(folder.string(), ": expected another folder than the model's own, which would be ",
         "overwritten while it is read; choose a new one");
  }
  RemoveOldWeights(folder);
  std::vector<TensorToWrite> out;
  int64_t parameters = 0, written = 0;
  std::vector<QuantisedModule> quantised;
  const auto done = [&] { progress.Update(++written); };
  for (const ModelTensor& tensor : tensors) {
    parameters += tensor.rows * tensor.cols;
    std::optional<AffineFormat> affine;
    if (format.quantise && !tensor.is_vector()) affine = format.quantise(tensor);
    if (affine) {
      quantised.push_back({tensor.module(), *affine});
      for (TensorToWrite& part : AffineTensors(tensor, *affine, format, done)) {
        out.push_back(std::move(part));
      }
    } else {
      out.push_back(PlainTensor(tensor, format.dtype, done));
    }
  }
  progress.Begin("writing " + folder.string(), static_cast<int64_t>(tensors.size()), "tensors");
  WriteShardedSafetensors(folder, out, {{"format", "mlx"}}, parameters);
  progress.End();
  WriteTokenizerFiles(folder, source);
  WriteGenerationConfig(folder, source);
  WriteConfigFile(folder, source, format.dtype, quantised);
}

}  // namespace lem
