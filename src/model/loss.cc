// SPDX-License-Identifier: EUPL-1.2
#include "model/loss.h"

#include <algorithm>

#include "ops/rows.h"

namespace lem {
namespace {

// At most 320 MiB of logits, 320 rows of Gemma's vocabulary: the head's panels are expanded again
// for every chunk of rows.
size_t RowsAtOnce(int vocab) {
  constexpr size_t kLogits = size_t{80} << 20;
  return std::clamp<size_t>(kLogits / static_cast<size_t>(vocab), 64, 512);
}

}  // namespace

Loss::Memory Loss::LayOut(const ModelConfig& config, size_t counted, bool bf16, bool training,
                          Arena* a) {
  const size_t dim = static_cast<size_t>(config.dim);
  Memory m;
  m.x = a->Matrix(counted, dim);
  m.hidden = a->Activations(counted, dim, bf16);
  m.r = a->Vector(counted);
  m.losses = a->Vector(counted);
  if (training) m.dx = a->Matrix(counted, dim), m.dhidden = a->Matrix(counted, dim);
  m.logits =
      a->Matrix(std::min(counted, RowsAtOnce(config.vocab)), static_cast<size_t>(config.vocab));
  return m;
}

template <class Chunk>
double Loss::ForEachChunk(Backend& b, ConstMat x, std::span<const int32_t> rows,
                          std::span<const int32_t> targets, const Memory& m,
                          const Chunk& chunk) const {
  LEM_CHECK(rows.size() == targets.size() && m.x.rows == rows.size());
  GatherRows(x, rows, m.x);
  final_norm.Forward(b, m.x, m.hidden, m.r);
  const size_t chunks = (rows.size() + m.logits.rows - 1) / m.logits.rows;  // of about one size
  for (size_t i = 0; i < chunks; ++i) {
    const size_t begin = rows.size() * i / chunks, end = rows.size() * (i + 1) / chunks;
    const Mat logits = m.logits.Rows(0, end - begin);
    b.MatMul(ConstOperand(m.hidden).Rows(begin, end), *head, logits);
    if (softcap > 0) b.Softcap(softcap, logits);
    chunk(begin, end, logits);
  }
  double total = 0;
  for (const float loss : m.losses) total += loss;
  return total;
}

double Loss::Forward(Backend& b, ConstMat x, std::span<const int32_t> rows,
                     std::span<const int32_t> targets, const Memory& m) const {
  return ForEachChunk(b, x, rows, targets, m, [&](size_t begin, size_t end, Mat logits) {
    b.CrossEntropy(logits, targets.subspan(begin, end - begin),
                   m.losses.subspan(begin, end - begin));
  });
}

double Loss::ForwardBackward(Backend& b, ConstMat x, std::span<const int32_t> rows,
                             std::span<const int32_t> targets, float weight, const Memory& m,
                             Mat dx) const {
  b.Zero(m.dhidden);
  const double total =
      ForEachChunk(b, x, rows, targets, m, [&](size_t begin, size_t end, Mat logits) {
        b.CrossEntropyGradient(targets.subspan(begin, end - begin),
                               {.weight = weight, .softcap = softcap, .negligible = negligible},
                               m.losses.subspan(begin, end - begin), logits);
        b.AddSparseMatMulInputGrad(logits, *head, m.dhidden.Rows(begin, end));
      });
  b.Zero(m.dx);
  final_norm.Backward(b, m.dhidden, m.x, m.r, m.dx, {});
  b.Zero(dx);
  AddScatteredRows(m.dx, rows, dx);
  return total;
}

}  // namespace lem
