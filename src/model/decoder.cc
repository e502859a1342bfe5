// SPDX-License-Identifier: EUPL-1.2
#include "model/decoder.h"

#include <algorithm>

#include "base/error.h"
#include "base/threads.h"
#include "model/decoder_state.h"

namespace lem {
namespace {

// Of log-probabilities of many positions: so many logits at a time that they stay near 64 MiB.
size_t RowsAtOnce(int vocab) {
  constexpr size_t kLogits = size_t{16} << 20;
  return std::clamp<size_t>(kLogits / static_cast<size_t>(vocab), 16, 256);
}

bool IsArgmax(ConstVec logits, int32_t id) {
  const float best = logits[static_cast<size_t>(id)];
  for (size_t i = 0; i < logits.size(); ++i) {
    // Ties go to the lowest id, as in greedy sampling.
    if (logits[i] > best || (logits[i] == best && i < static_cast<size_t>(id))) return false;
  }
  return true;
}

}  // namespace

Decoder::Decoder() = default;
Decoder::~Decoder() = default;

std::unique_ptr<Decoder> Decoder::Load(Backend& backend, const Checkpoint& checkpoint,
                                       const DecoderOptions& options) {
  const bool rounded = options.precision == Precision::kBFloat16 || options.mlx_embed_scale;
  ModelConfig config = ReadModelConfig(checkpoint, {.embed_scale_bf16 = rounded});
  std::unique_ptr<Decoder> decoder(new Decoder);
  decoder->state_ = std::make_unique<State>(backend, std::move(config), options, checkpoint);
  return decoder;
}

const ModelConfig& Decoder::config() const { return state_->config; }
const DecoderOptions& Decoder::options() const { return state_->options; }
const WeightMap& Decoder::weights() const { return state_->map; }
Backend& Decoder::backend() const { return state_->backend; }
const Adapter* Decoder::adapter() const { return state_->adapter; }

uint64_t Decoder::weight_bytes() const {
  uint64_t total = 0;
  for (const auto& weight : state_->weights) total += weight->bytes();
  for (const auto& vector : state_->vectors) total += vector.size() * sizeof(float);
  return total;
}

uint64_t Decoder::pass_bytes() const {
  const State& s = *state_;
  return weight_bytes() - (s.head == s.embedding ? 0 : s.embedding->bytes());
}

void Decoder::Forward(std::span<const Chunk> chunks, Mat logits) {
  const Mat x = state_->Run(chunks);
  const Mat hidden = state_->WantedRows(chunks, x);
  LEM_CHECK(logits.rows == hidden.rows);
  if (hidden.rows == 0) return;
  LEM_CHECK(logits.cols == static_cast<size_t>(state_->config.vocab));
  state_->Logits(hidden, logits);
}

void Decoder::ForwardLogProbs(std::span<const Chunk> chunks, std::span<const int32_t> targets,
                              std::span<double> log_probs, std::vector<bool>* greedy) {
  const Mat x = state_->Run(chunks);
  const Mat hidden = state_->WantedRows(chunks, x);
  LEM_CHECK(targets.size() == hidden.rows && log_probs.size() == hidden.rows);
  if (greedy) greedy->assign(hidden.rows, false);
  const size_t vocab = static_cast<size_t>(state_->config.vocab);
  const size_t usable = static_cast<size_t>(state_->config.usable_vocab);
  const size_t at_once = RowsAtOnce(state_->config.vocab);
  std::vector<float> losses(at_once);
  std::vector<char> is_argmax(at_once);
  for (size_t begin = 0; begin < hidden.rows; begin += at_once) {
    const size_t count = std::min(at_once, hidden.rows - begin);
    state_->logits.resize(at_once * vocab);
    const Mat logits(state_->logits.data(), count, vocab);
    state_->Logits(hidden.Rows(begin, begin + count), logits);
    const Mat seen = logits.Cols(0, usable);
    const auto wanted = targets.subspan(begin, count);
    for (const int32_t id : wanted) LEM_CHECK(id >= 0 && id < static_cast<int32_t>(usable));
    state_->backend.CrossEntropy(seen, wanted, Vec(losses).first(count));
    for (size_t i = 0; i < count; ++i) log_probs[begin + i] = -double{losses[i]};
    if (greedy == nullptr) continue;
    ParallelFor(static_cast<int64_t>(count), 1, [&](int64_t from, int64_t to) {
      for (auto i = static_cast<size_t>(from); i < static_cast<size_t>(to); ++i) {
        is_argmax[i] = IsArgmax(seen.Row(i), wanted[i]);
      }
    });
    for (size_t i = 0; i < count; ++i) (*greedy)[begin + i] = is_argmax[i] != 0;
  }
}

}  // namespace lem
