// SPDX-License-Identifier: EUPL-1.2
#include "model/decoder_state.h"

#include <algorithm>

#include "base/error.h"
#include "model/workspace.h"
#include "ops/rows.h"

namespace lem {

Decoder::State::State(Backend& backend, ModelConfig config, const DecoderOptions& options,
                      const Checkpoint& checkpoint)
    : backend(backend),
      config(std::move(config)),
      options(options),
      map(WeightMap::Locate(checkpoint, this->config)) {
  const bool training = options.input_gradients_from_layer_set;
  embedding = Prepare(this->map.embedding, training && !this->map.head);
  head = this->map.head ? Prepare(*this->map.head, training) : embedding;
  final_norm = {.gain = Keep(this->map.final_norm), .eps = this->config.eps};
  blocks.resize(static_cast<size_t>(this->config.layers));
  for (int i = 0; i < this->config.layers; ++i) {
    checkpoint.ReleasePages();  // so that no more than one block is in memory twice
    BuildBlock(i);
  }
  checkpoint.ReleasePages();
}

const Weight* Decoder::State::Prepare(const StoredMatrix& stored, bool input_gradients) {
  weights.push_back(backend.Prepare(
      stored,
      {.precision = options.precision, .form = options.form, .input_gradients = input_gradients}));
  return weights.back().get();
}

ConstVec Decoder::State::Keep(const StoredMatrix& stored) {
  vectors.push_back(ReadVector(stored));
  return vectors.back();
}

LoraLinear& Decoder::State::Linear(int layer, Projection projection) {
  Block& b = blocks[static_cast<size_t>(layer)];
  switch (projection) {
    case Projection::kQ:
      return b.attention.q;
    case Projection::kK:
      return b.attention.k;
    case Projection::kV:
      return b.attention.v;
    case Projection::kO:
      return b.attention.o;
    case Projection::kGate:
      return b.mlp.gate;
    case Projection::kUp:
      return b.mlp.up;
    case Projection::kDown:
      return b.mlp.down;
  }
  LEM_CHECK(false);
}

Norm& Decoder::State::NormOf(int layer, NormSlot slot) {
  Block& b = blocks[static_cast<size_t>(layer)];
  switch (slot) {
    case NormSlot::kAttentionIn:
      return b.attention_in;
    case NormSlot::kAttentionOut:
      return b.attention_out;
    case NormSlot::kMlpIn:
      return b.mlp_in;
    case NormSlot::kMlpOut:
      return b.mlp_out;
    case NormSlot::kQ:
      return b.attention.q_norm;
    case NormSlot::kK:
      return b.attention.k_norm;
  }
  LEM_CHECK(false);
}

void Decoder::State::BuildBlock(int layer) {
  const WeightMap::Block& stored = map.blocks[static_cast<size_t>(layer)];
  const LayerConfig& rule = config.layer[static_cast<size_t>(layer)];
  const bool gradients =
      options.input_gradients_from_layer_set && layer >= options.input_gradients_from_layer;
  for (int p = 0; p < kProjections; ++p) {
    const auto projection = static_cast<Projection>(p);
    const TensorShape shape = ShapeOf(config, projection);
    LoraLinear& linear = Linear(layer, projection);
    linear.weight = Prepare(stored.projection[p], gradients);
    if (stored.bias[p]) linear.bias = Keep(*stored.bias[p]);
    linear.in = static_cast<size_t>(shape.in), linear.out = static_cast<size_t>(shape.out);
    linear.module = static_cast<uint32_t>(layer * kProjections + p);
  }
  for (int n = 0; n < kNormSlots; ++n) {
    if (!stored.norm[n]) continue;
    NormOf(layer, static_cast<NormSlot>(n)) = {.gain = Keep(*stored.norm[n]), .eps = config.eps};
  }
  Block& block = blocks[static_cast<size_t>(layer)];
  block.mlp.activation = config.activation;
  block.attention.layer = layer;
  block.attention.shape = {.heads = config.heads,
                           .kv_heads = config.kv_heads,
                           .head_dim = config.head_dim,
                           .scale = config.attention_scale,
                           .softcap = config.attention_softcap,
                           .window = rule.window};
  auto rope = std::find_if(ropes.begin(), ropes.end(),
                           [&](const RopeTables& r) { return r.SameRule(rule); });
  if (rope == ropes.end()) rope = ropes.emplace(ropes.end(), rule, config.head_dim);
  block.attention.rope = &rope->table();
}

void Decoder::State::Cover(int64_t count) {
  for (RopeTables& rope : ropes) rope.Cover(count);
}

namespace {

// A ragged batch, row by row.
struct Rows {
  std::vector<int32_t> ids, positions;
  std::vector<CachedRows> cached;
  int64_t furthest = 0;  // positions that the rope tables must cover
};

Rows RowsOf(std::span<const Chunk> chunks, int vocab) {
  Rows rows;
  for (const Chunk& chunk : chunks) {
    LEM_CHECK(!chunk.ids.empty());
    const int64_t first = chunk.cache->length();
    rows.cached.push_back({chunk.cache, rows.ids.size(), rows.ids.size() + chunk.ids.size()});
    for (size_t i = 0; i < chunk.ids.size(); ++i) {
      LEM_CHECK(chunk.ids[i] >= 0 && chunk.ids[i] < vocab);
      rows.ids.push_back(chunk.ids[i]);
      rows.positions.push_back(static_cast<int32_t>(first + static_cast<int64_t>(i)));
    }
    rows.furthest = std::max<int64_t>(rows.furthest, rows.positions.back() + 1);
  }
  return rows;
}

}  // namespace

// The memory of an inference pass: one block's, used by all of them in turn.
Decoder::State::Workspace Decoder::State::LayOut(size_t tokens, Arena* a) const {
  const PassSizes sizes = {.config = config,
                           .adapter = adapter ? &adapter->shape() : nullptr,
                           .tokens = tokens,
                           .bf16 = options.precision == Precision::kBFloat16};
  Workspace w;
  w.x = a->Matrix(tokens, static_cast<size_t>(config.dim));
  w.saved = LayOutSaved(sizes, true, a);
  w.scratch = LayOutScratch(sizes, a);
  return w;
}

Decoder::State::Workspace Decoder::State::WorkspaceFor(size_t tokens) {
  if (tokens > arena_tokens) {
    Arena plan;
    LayOut(tokens, &plan);
    arena = Arena();  // the old one goes before the new one comes
    arena = Arena(plan.peak());
    arena_tokens = tokens;
  }
  arena.Rewind(0);
  return LayOut(tokens, &arena);
}

Mat Decoder::State::Run(std::span<const Chunk> chunks) {
  const Rows rows = RowsOf(chunks, config.vocab);
  Cover(rows.furthest);
  const Workspace w = WorkspaceFor(rows.ids.size());
  backend.Embed(rows.ids, *embedding, config.embed_scale, w.x);
  const PassContext context = {.backend = backend,
                               .precision = options.precision,
                               .positions = rows.positions,
                               .segments = {},
                               .cached = rows.cached};
  for (size_t i = 0; i < blocks.size(); ++i) {
    blocks[i].Forward(context, false, w.saved, w.scratch, w.x);
    if (observe) observe(static_cast<int>(i), w.x);
  }
  for (const Chunk& chunk : chunks) chunk.cache->Advance(static_cast<int64_t>(chunk.ids.size()));
  return w.x;
}

Mat Decoder::State::WantedRows(std::span<const Chunk> chunks, ConstMat x) {
  std::vector<int32_t> wanted;
  int32_t row = 0;
  for (const Chunk& chunk : chunks) {
    const auto count = static_cast<int32_t>(chunk.ids.size());
    if (chunk.logits == Chunk::Logits::kLast) wanted.push_back(row + count - 1);
    for (int32_t i = 0; chunk.logits == Chunk::Logits::kAll && i < count; ++i) {
      wanted.push_back(row + i);
    }
    row += count;
  }
  const size_t dim = static_cast<size_t>(config.dim);
  rows.resize(2 * wanted.size() * dim);
  const Mat gathered(rows.data(), wanted.size(), dim);
  const Mat normed(rows.data() + wanted.size() * dim, wanted.size(), dim);
  if (wanted.empty()) return normed;
  GatherRows(x, wanted, gathered);
  final_norm.Forward(backend, gathered, normed, {});
  return normed;
}

void Decoder::State::Logits(ConstMat hidden, Mat logits) {
  backend.MatMul(hidden, *head, logits);
  if (config.final_softcap > 0) backend.Softcap(config.final_softcap, logits);
}

}  // namespace lem
