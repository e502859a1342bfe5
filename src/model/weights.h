// SPDX-License-Identifier: EUPL-1.2
// The one table of tensor names: what a field of the model is called in each container.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/checkpoint.h"
#include "model/config.h"

namespace lem {

// The seven projections of a block, in the order the forward pass meets them.
enum class Projection : uint8_t { kQ, kK, kV, kO, kGate, kUp, kDown };
inline constexpr int kProjections = 7;

enum class NormSlot : uint8_t { kAttentionIn, kAttentionOut, kMlpIn, kMlpOut, kQ, kK };
inline constexpr int kNormSlots = 6;

// Block-relative Hugging Face module paths: "self_attn.q_proj" ... "mlp.down_proj".
std::string_view ProjectionPath(Projection projection);
std::optional<Projection> ProjectionByPath(std::string_view path);
// "attn_q" ... "ffn_down", as GGUF spells them.
std::string_view ProjectionGgufName(Projection projection);

struct TensorShape {
  int64_t out = 0, in = 0;
};
TensorShape ShapeOf(const ModelConfig& config, Projection projection);

// Locates every tensor of the text model in a checkpoint, whatever prefix or container, and checks
// its shape. Norms arrive as gains (Gemma folders: StoredMatrix::plus = 1), q and k rows in Hugging
// Face order.
class WeightMap {
 public:
  static WeightMap Locate(const Checkpoint& checkpoint, const ModelConfig& config);

  StoredMatrix embedding, final_norm;
  std::optional<StoredMatrix> head;  // absent: tied
  struct Block {
    StoredMatrix projection[kProjections];
    std::optional<StoredMatrix> bias[kProjections];
    std::optional<StoredMatrix> norm[kNormSlots];
  };
  std::vector<Block> blocks;
  // Memory that a decoder of these takes, with input gradients from `gradients_from` on: quantised
  // matrices keep their size, plain ones are packed anew, and once more for gradients.
  uint64_t PreparedBytes(Precision precision, int gradients_from) const;

  std::string prefix;  // "model." or "language_model.model." ...: where a folder's text model lives
};

// All numbers of a small tensor (norms, biases), in logical order. A bias of GGUF's llama q or k
// arrives as a column (out, 1), because its rows are permuted as its matrix's are.
std::vector<float> ReadVector(const StoredMatrix& stored);

// Canonical Hugging Face names, prefix "model.": what we write.
std::string HfName(Projection projection, int layer);  // "model.layers.3.self_attn.q_proj"
std::string HfNormName(const ModelConfig& config, NormSlot slot, int layer);  // with ".weight"
std::string GgufName(Projection projection, int layer);                       // "blk.3.attn_q"
std::string GgufNormName(const ModelConfig& config, NormSlot slot, int layer);

}  // namespace lem
