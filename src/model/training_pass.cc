// SPDX-License-Identifier: EUPL-1.2
#include "model/training_pass.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "model/decoder_state.h"
#include "model/frozen_outputs.h"
#include "model/loss.h"
#include "model/workspace.h"

namespace lem {
namespace {

// Views of a pass's memory for one batch.
struct Layout {
  Mat x, dx;                        // (tokens, dim)
  std::vector<Mat> inputs;          // of each trained block, with grad_checkpoint
  std::vector<Block::Saved> saved;  // of each trained block, or one for all
  Block::Scratch scratch;
  Loss::Memory loss;
};

struct Shape {
  const ModelConfig& config;
  const AdapterShape& adapter;
  bool bf16, grad_checkpoint;
  size_t tokens, counted;

  int trained_blocks() const {
    return adapter.num_layers <= 0 ? config.layers : adapter.num_layers;
  }
};

// The widest rows that a product with a block's matrices packs, and the gradients of logits, which
// are packed in memory of their own, at most all of them.
uint64_t PackedBytes(const Shape& shape, size_t logit_rows) {
  const ModelConfig& c = shape.config;
  const int widest = std::max({c.dim, c.mlp_dim, c.q_dim()});
  const size_t numbers =
      shape.tokens * static_cast<size_t>(widest) + logit_rows * static_cast<size_t>(c.vocab);
  return numbers * (shape.bf16 ? 2 : 4);
}

Layout LayOut(const Shape& shape, Arena* a, PassMemory* memory) {
  const size_t dim = static_cast<size_t>(shape.config.dim);
  const PassSizes sizes = {.config = shape.config,
                           .adapter = &shape.adapter,
                           .tokens = shape.tokens,
                           .bf16 = shape.bf16,
                           .training = true};
  Layout l;
  const int blocks = shape.trained_blocks();
  for (int i = 0; shape.grad_checkpoint && i < blocks; ++i) {
    l.inputs.push_back(a->Matrix(shape.tokens, dim));
  }
  for (int i = 0; i < (shape.grad_checkpoint ? 1 : blocks); ++i) {
    l.saved.push_back(LayOutSaved(sizes, true, a));
  }
  const size_t after_saved = a->used();
  l.x = a->Matrix(shape.tokens, dim);
  l.dx = a->Matrix(shape.tokens, dim);
  // The loss and the blocks take turns.
  const size_t mark = a->used();
  l.loss = Loss::LayOut(shape.config, shape.counted, shape.bf16, true, a);
  const size_t after_loss = a->used();
  a->Rewind(mark);
  l.scratch = LayOutScratch(sizes, a);
  const size_t after_scratch = a->used();
  a->Rewind(std::max(after_loss, after_scratch));
  if (memory) {
    memory->saved_activations = after_saved;
    memory->scratch = after_scratch - after_saved;
    memory->logits = after_loss > after_scratch ? after_loss - after_scratch : 0;
    memory->packed = PackedBytes(shape, l.loss.logits.rows);
  }
  return l;
}

// The numbers of an adapter, without making one.
uint64_t TrainedNumbers(const ModelConfig& config, const AdapterShape& shape, int blocks) {
  if (shape.type == TuneType::kFull) {
    ModelConfig one = config;
    one.layers = 0;
    return static_cast<uint64_t>(config.parameters() - one.parameters()) /
           static_cast<uint64_t>(config.layers) * static_cast<uint64_t>(blocks);
  }
  uint64_t block = 0;
  for (int p = 0; p < kProjections; ++p) {
    const auto projection = static_cast<Projection>(p);
    if (!Adapts(shape, projection)) continue;
    const TensorShape s = ShapeOf(config, projection);
    block += static_cast<uint64_t>(shape.rank) * static_cast<uint64_t>(s.in + s.out);
    if (shape.type == TuneType::kDora) block += static_cast<uint64_t>(s.out);
  }
  return block * static_cast<uint64_t>(blocks);
}

// Sequences one after another, as the verbs want them.
struct Ragged {
  std::vector<int32_t> ids{}, positions{};
  std::vector<Segment> segments{};

  void Clear() { ids.clear(), positions.clear(), segments.clear(); }
  void Append(std::span<const int32_t> sequence) {
    segments.push_back({ids.size(), ids.size() + sequence.size()});
    ids.insert(ids.end(), sequence.begin(), sequence.end());
    for (size_t i = 0; i < sequence.size(); ++i) positions.push_back(static_cast<int32_t>(i));
  }
  std::span<const int32_t> Sequence(const Segment& s) const {
    return std::span(ids).subspan(s.begin, s.end - s.begin);
  }
};

// Rows of `to` that `kept` has none of, from `computed`: those alone, in order. The two may overlap
// as long as `computed` does not begin later.
void Spread(ConstMat computed, std::span<const Segment> segments, std::span<const ConstMat> kept,
            Mat to) {
  const size_t row = to.cols * sizeof(float);
  std::memmove(to.data, computed.data, computed.rows * row);
  size_t end = computed.rows;
  for (size_t s = segments.size(); s-- > 0;) {
    if (kept[s].rows > 0) continue;
    const size_t size = segments[s].end - segments[s].begin;
    end -= size;
    std::memmove(to.data + segments[s].begin * to.cols, to.data + end * to.cols, size * row);
  }
  for (size_t s = 0; s < segments.size(); ++s) {
    if (kept[s].rows == 0) continue;
    std::memcpy(to.data + segments[s].begin * to.cols, kept[s].data, kept[s].rows * row);
  }
}

}  // namespace

int64_t TrainBatch::counted() const {
  return static_cast<int64_t>(targets.size()) - std::count(targets.begin(), targets.end(), -1);
}

struct TrainingPass::State {
  Decoder& decoder;
  Adapter& adapter;
  PassOptions options;
  Arena arena{};

  FrozenOutputs frozen{};

  // Of the present batch.
  Ragged batch{}, fresh{};       // all sequences; those whose frozen outputs are not kept
  std::vector<ConstMat> kept{};  // by sequence; without rows: it is in `fresh`
  std::vector<int32_t> rows{}, targets{};
  Layout layout{};

  Decoder::State& model() const { return decoder.state(); }
  Shape ShapeFor(size_t tokens, size_t counted) const {
    return {.config = decoder.config(),
            .adapter = adapter.shape(),
            .bf16 = decoder.options().precision == Precision::kBFloat16,
            .grad_checkpoint = options.grad_checkpoint,
            .tokens = tokens,
            .counted = counted};
  }
  // In bfloat16 each probability may be off by 2^-8 of itself. A quarter of that is left out, since
  // what is left out, unlike rounding, adds up over tokens (docs/numerics.md).
  Loss LossHead() const {
    const bool bf16 = decoder.options().precision == Precision::kBFloat16;
    return {.head = model().head,
            .final_norm = model().final_norm,
            .softcap = decoder.config().final_softcap,
            .negligible = bf16 ? 0x1p-10f : 0};
  }
  PassContext Context(const Ragged& of, bool dropout, uint64_t step) const {
    return {.backend = decoder.backend(),
            .precision = decoder.options().precision,
            .positions = of.positions,
            .segments = of.segments,
            .cached = {},
            .dropout = dropout,
            .dropout_seed = options.dropout_seed,
            .step = step};
  }
  size_t SavedIndex(int layer) const {
    return options.grad_checkpoint ? 0 : static_cast<size_t>(layer - adapter.lowest_layer());
  }

  void Start(const TrainBatch& given);
  Mat RunFrozen();
  void Forward(const PassContext& c, bool keep);
  void Backward(const PassContext& c, Adapter& gradients);
  Block::Depth DepthOf(int layer) const;
};

namespace {

void CheckBatch(const TrainBatch& batch, const PassOptions& options, int vocab) {
  LEM_CHECK(batch.ids.size() == batch.targets.size() && batch.starts.size() >= 2);
  LEM_CHECK(batch.starts.front() == 0 && batch.starts.back() == batch.ids.size());
  LEM_CHECK(static_cast<int64_t>(batch.ids.size()) <= options.max_tokens);
  LEM_CHECK(batch.counted() <= options.max_counted);
  for (const std::vector<int32_t>* ids : {&batch.ids, &batch.targets}) {
    for (const int32_t id : *ids) {
      if (id < -1 || id >= vocab || (id < 0 && ids == &batch.ids)) {
        Fail("train: the model has ids 0 to ", vocab - 1, ", a batch holds ", id,
             "; the tokenizer is of another model");
      }
    }
  }
}

// Where the gradients of one block go.
Block::Grads GradsOf(Adapter& gradients, int layer) {
  Block::Grads g;
  const auto linear = [&](Projection p) -> LoraLinear::Grads& {
    switch (p) {
      case Projection::kQ:
        return g.attention.q;
      case Projection::kK:
        return g.attention.k;
      case Projection::kV:
        return g.attention.v;
      case Projection::kO:
        return g.attention.o;
      case Projection::kGate:
        return g.mlp.gate;
      case Projection::kUp:
        return g.mlp.up;
      case Projection::kDown:
        return g.mlp.down;
    }
    LEM_CHECK(false);
  };
  const auto norm = [&](NormSlot slot) -> Vec& {
    switch (slot) {
      case NormSlot::kAttentionIn:
        return g.attention_in;
      case NormSlot::kAttentionOut:
        return g.attention_out;
      case NormSlot::kMlpIn:
        return g.mlp_in;
      case NormSlot::kMlpOut:
        return g.mlp_out;
      case NormSlot::kQ:
        return g.attention.q_norm;
      case NormSlot::kK:
        return g.attention.k_norm;
    }
    LEM_CHECK(false);
  };
  for (const AdapterModule& m : gradients.modules()) {
    if (m.layer != layer) continue;
    LoraLinear::Grads& to = linear(m.projection);
    to.down = m.down, to.up = m.up, to.magnitude = m.magnitude;
  }
  for (const TrainedTensor& t : gradients.tensors()) {
    if (t.layer != layer) continue;
    if (t.is_norm) {
      norm(t.norm) = t.value.Row(0);
    } else if (t.is_bias) {
      linear(t.projection).bias = t.value.Row(0);
    } else {
      linear(t.projection).weight = t.value;
    }
  }
  return g;
}

}  // namespace

TrainingPass::TrainingPass(Decoder& decoder, Adapter& adapter, const PassOptions& options)
    : state_(new State{.decoder = decoder, .adapter = adapter, .options = options}) {
  LEM_CHECK(decoder.adapter() == &adapter);
  LEM_CHECK(decoder.options().input_gradients_from_layer_set &&
            decoder.options().input_gradients_from_layer <= adapter.lowest_layer());
  LEM_CHECK(options.max_tokens > 0);
  if (state_->options.max_counted <= 0) state_->options.max_counted = options.max_tokens;
  Arena plan;
  LayOut(state_->ShapeFor(static_cast<size_t>(options.max_tokens),
                          static_cast<size_t>(state_->options.max_counted)),
         &plan, nullptr);
  state_->arena = Arena(plan.peak());
  state_->model().Cover(options.max_tokens);
  if (adapter.lowest_layer() > 0) {
    state_->frozen = FrozenOutputs(static_cast<size_t>(decoder.config().dim), options.frozen_bytes);
  }
}

TrainingPass::~TrainingPass() = default;

uint64_t TrainingPass::bytes() const { return state_->arena.capacity(); }

int64_t TrainingPass::frozen_tokens() const {
  return static_cast<int64_t>(state_->fresh.ids.size());
}

PassMemory TrainingPass::Plan(const ModelConfig& config, const AdapterShape& shape,
                              const PassOptions& options, Precision precision) {
  const int64_t counted = options.max_counted > 0 ? options.max_counted : options.max_tokens;
  const Shape sizes = {.config = config,
                       .adapter = shape,
                       .bf16 = precision == Precision::kBFloat16,
                       .grad_checkpoint = options.grad_checkpoint,
                       .tokens = static_cast<size_t>(options.max_tokens),
                       .counted = static_cast<size_t>(counted)};
  Arena plan;
  PassMemory memory;
  LayOut(sizes, &plan, &memory);
  memory.gradients = TrainedNumbers(config, shape, sizes.trained_blocks()) * sizeof(float);
  memory.frozen = options.frozen_bytes;
  return memory;
}

// Takes the batch in and brings it to the input of the lowest trained block, in memory laid out for
// it; it fits, because sizes only grow with tokens.
void TrainingPass::State::Start(const TrainBatch& given) {
  CheckBatch(given, options, decoder.config().vocab);
  batch.Clear(), fresh.Clear(), kept.clear(), rows.clear(), targets.clear();
  for (size_t s = 0; s + 1 < given.starts.size(); ++s) {
    const auto ids =
        std::span(given.ids).subspan(given.starts[s], given.starts[s + 1] - given.starts[s]);
    batch.Append(ids);
    kept.push_back(frozen.Find(ids));
    if (kept.back().rows == 0) fresh.Append(ids);
  }
  for (size_t i = 0; i < given.targets.size(); ++i) {
    if (given.targets[i] < 0) continue;
    rows.push_back(static_cast<int32_t>(i));
    targets.push_back(given.targets[i]);
  }
  if (rows.empty()) return;
  model().RefreshDora();
  const Mat computed = RunFrozen();
  arena.Rewind(0);
  layout = LayOut(ShapeFor(batch.ids.size(), rows.size()), &arena, nullptr);
  Spread(computed, batch.segments, kept, layout.x);
}

// The embedding and the frozen blocks for the sequences of `fresh`: (their tokens, dim). They leave
// nothing for Backward: they scribble on one trained block's memory.
Mat TrainingPass::State::RunFrozen() {
  arena.Rewind(0);
  layout = LayOut(ShapeFor(fresh.ids.size(), 0), &arena, nullptr);
  if (fresh.ids.empty()) return layout.x;
  const PassContext c = Context(fresh, false, 0);
  const Decoder::State& m = model();
  c.backend.Embed(fresh.ids, *m.embedding, m.config.embed_scale, layout.x);
  for (int i = 0; i < adapter.lowest_layer(); ++i) {
    m.blocks[static_cast<size_t>(i)].Forward(c, false, layout.saved[0], layout.scratch, layout.x);
  }
  for (const Segment& s : fresh.segments) {
    frozen.Keep(fresh.Sequence(s), layout.x.Rows(s.begin, s.end));
  }
  return layout.x;
}

void TrainingPass::State::Forward(const PassContext& c, bool keep) {
  const int lowest = adapter.lowest_layer();
  for (int i = lowest; i < decoder.config().layers; ++i) {
    if (keep && options.grad_checkpoint) {
      c.backend.Copy(layout.x, layout.inputs[static_cast<size_t>(i - lowest)]);
    }
    model().blocks[static_cast<size_t>(i)].Forward(c, keep && !options.grad_checkpoint,
                                                   layout.saved[keep ? SavedIndex(i) : 0],
                                                   layout.scratch, layout.x);
  }
}

Block::Depth TrainingPass::State::DepthOf(int layer) const {
  if (layer > adapter.lowest_layer()) return Block::Depth::kInput;
  return model().blocks[static_cast<size_t>(layer)].attention.adapted() ? Block::Depth::kAttention
                                                                        : Block::Depth::kMlp;
}

void TrainingPass::State::Backward(const PassContext& c, Adapter& gradients) {
  for (int i = decoder.config().layers - 1; i >= adapter.lowest_layer(); --i) {
    const Block& block = model().blocks[static_cast<size_t>(i)];
    const Block::Saved& saved = layout.saved[SavedIndex(i)];
    if (options.grad_checkpoint) {
      c.backend.Copy(layout.inputs[static_cast<size_t>(i - adapter.lowest_layer())], layout.x);
      block.Forward(c, true, saved, layout.scratch, layout.x);
    }
    block.Backward(c, DepthOf(i), saved, layout.scratch, layout.dx, GradsOf(gradients, i));
  }
}

double TrainingPass::Evaluate(const TrainBatch& batch) {
  State& s = *state_;
  s.Start(batch);
  if (s.rows.empty()) return 0;
  const PassContext context = s.Context(s.batch, false, 0);
  s.Forward(context, false);
  return s.LossHead().Forward(context.backend, s.layout.x, s.rows, s.targets, s.layout.loss);
}

double TrainingPass::ForwardBackward(const TrainBatch& batch, float weight, uint64_t step,
                                     Adapter& gradients) {
  State& s = *state_;
  LEM_CHECK(gradients.values().size() == s.adapter.values().size());
  s.Start(batch);
  if (s.rows.empty()) return 0;
  const PassContext context = s.Context(s.batch, s.adapter.shape().dropout > 0, step);
  s.Forward(context, true);
  const double loss = s.LossHead().ForwardBackward(context.backend, s.layout.x, s.rows, s.targets,
                                                   weight, s.layout.loss, s.layout.dx);
  s.Backward(context, gradients);
  return loss;
}

}  // namespace lem
