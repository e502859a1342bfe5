// SPDX-License-Identifier: EUPL-1.2
#include "backend/cpu/attention.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "backend/cpu/scratch.h"
#include "base/check.h"
#include "base/threads.h"

namespace lem::cpu {
namespace {

void CheckShape(const AttentionShape& s, ConstMat q) {
  LEM_CHECK(s.heads > 0 && s.kv_heads > 0 && s.head_dim > 0 && s.heads % s.kv_heads == 0);
  LEM_CHECK(static_cast<int64_t>(q.cols) == int64_t{s.heads} * s.head_dim);
}

// Rows [begin, end) of q, whose first position is `first`, against one key-value head.
struct QueryBlock {
  size_t segment;
  int kv_head;
  size_t begin, end;
  int64_t first;
  int head_begin, head_end;  // of the heads that share the key-value head
};

// At most kQueryBlock vectors per block: all heads of a group together while they fit.
template <class AnySegment, class First>
std::vector<QueryBlock> CutQueries(const AttentionShape& s, std::span<const AnySegment> segments,
                                   First first_position) {
  const int group = s.heads / s.kv_heads;
  const int heads = std::min<int>(group, kQueryBlock);
  const size_t rows = std::max<int64_t>(1, kQueryBlock / heads);
  std::vector<QueryBlock> blocks;
  for (size_t i = 0; i < segments.size(); ++i)
    for (int kv = 0; kv < s.kv_heads; ++kv)
      for (size_t row = segments[i].begin; row < segments[i].end; row += rows)
        for (int h = 0; h < group; h += heads)
          blocks.push_back(
              {i, kv, row, std::min(row + rows, segments[i].end),
               first_position(segments[i]) + static_cast<int64_t>(row - segments[i].begin), h,
               std::min(h + heads, group)});
  return blocks;
}

// Later rows see more keys: dealt out in turn, every thread's part costs about the same.
std::vector<QueryBlock> Dealt(const std::vector<QueryBlock>& blocks) {
  const size_t threads = static_cast<size_t>(Threads());
  std::vector<QueryBlock> dealt;
  for (size_t t = 0; t < threads; ++t)
    for (size_t i = t; i < blocks.size(); i += threads) dealt.push_back(blocks[i]);
  return dealt;
}

// A task with the memory that its query side points to; stays where it was made.
struct QueryTask {
  AttentionTask task{};
  const float* q_rows[kQueryBlock];
  float *o_rows[kQueryBlock], *lse_at[kQueryBlock];
  int64_t position[kQueryBlock];

  QueryTask(const AttentionShape& s, const QueryBlock& b, ConstMat q, Mat o, Mat lse) {
    int64_t n = 0;
    for (size_t row = b.begin; row < b.end; ++row)
      for (int h = b.head_begin; h < b.head_end; ++h, ++n) {
        const size_t head = b.kv_head * (s.heads / s.kv_heads) + h;
        q_rows[n] = q.data + row * q.stride + head * s.head_dim;
        o_rows[n] = o.data + row * o.stride + head * s.head_dim;
        lse_at[n] = lse.data ? lse.data + row * lse.stride + head : nullptr;
        position[n] = b.first + static_cast<int64_t>(row - b.begin);
      }
    task.n = n;
    task.head_dim = s.head_dim;
    task.q = q_rows;
    task.position = position;
    task.o = o_rows;
    task.lse = lse.data ? lse_at : nullptr;
    task.scale = s.scale;
    task.softcap = s.softcap;
    task.window = s.window;
    task.end = position[n - 1] + 1;
    if (s.window > 0) task.begin = std::max<int64_t>(0, position[0] - s.window + 1);
  }
  QueryTask(const QueryTask&) = delete;

  int64_t key_blocks() const {
    return (task.end + kKeyBlock - 1) / kKeyBlock - task.begin / kKeyBlock;
  }
  int64_t record_size() const { return AttentionRecord(task.n, task.head_dim); }
  float* Scratch() const {
    thread_local AlignedFloats scratch;
    return scratch.Reserve(AttentionScratch(task.n, task.head_dim));
  }
};

// Few tasks on all threads: their key blocks are computed apart, then merged in order.
void RunShared(const Kernels& kernels, std::deque<QueryTask>& tasks) {
  int64_t blocks = 0, floats = 0;
  for (const QueryTask& t : tasks) {
    blocks += t.key_blocks();
    floats += t.key_blocks() * t.record_size();
  }
  thread_local AlignedFloats record_space;
  float* const records = record_space.Reserve(floats);
  ParallelFor(blocks, 2, [&](int64_t begin, int64_t end) {
    float* at = records;
    int64_t first = 0;
    for (const QueryTask& t : tasks) {
      const int64_t n = t.key_blocks();
      const int64_t from = std::max(begin - first, int64_t{0}), to = std::min(end - first, n);
      AttentionTask part = t.task;
      part.scratch = t.Scratch();
      if (from < to) kernels.attention_blocks(part, from, to, at);
      first += n;
      at += n * t.record_size();
    }
  });
  float* at = records;
  for (QueryTask& t : tasks) {
    t.task.scratch = t.Scratch();
    kernels.attention_merge(t.task, t.key_blocks(), at);
    at += t.key_blocks() * t.record_size();
  }
}

const void* HeadOf(const Operand& m, int64_t column) {
  return static_cast<const char*>(m.data) + column * (m.bf16 ? 2 : 4);
}

KeyRing RingOf(const KvRing& ring, int64_t column, int64_t first) {
  if (ring.k.rows == 0) return {};
  return {HeadOf(ring.k, column),
          HeadOf(ring.v, column),
          static_cast<int64_t>(ring.k.stride),
          static_cast<int64_t>(ring.v.stride),
          static_cast<int64_t>(ring.k.rows),
          first,
          ring.k.bf16,
          ring.v.bf16};
}

}  // namespace

void RunAttention(const Kernels& kernels, const AttentionShape& s,
                  std::span<const Segment> segments, ConstMat q, ConstMat k, ConstMat v, Mat o,
                  Mat lse) {
  CheckShape(s, q);
  const auto blocks = Dealt(CutQueries(s, segments, [](const Segment&) { return int64_t{0}; }));
  ParallelFor(blocks.size(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      QueryTask t(s, blocks[i], q, o, lse);
      const size_t row = segments[blocks[i].segment].begin;
      const size_t column = blocks[i].kv_head * s.head_dim;
      t.task.rings[1] = {k.data + row * k.stride + column,
                         v.data + row * v.stride + column,
                         static_cast<int64_t>(k.stride),
                         static_cast<int64_t>(v.stride),
                         t.task.end,
                         0,
                         false,
                         false};
      t.task.rounded = s.precision == Precision::kBFloat16;
      t.task.scratch = t.Scratch();
      kernels.attention(t.task);
    }
  });
}

void RunAttentionCached(const Kernels& kernels, const AttentionShape& s,
                        std::span<const CachedSegment> segments, ConstMat q, Mat o) {
  CheckShape(s, q);
  const auto blocks =
      Dealt(CutQueries(s, segments, [](const CachedSegment& c) { return c.first; }));
  const auto set_keys = [&](const QueryBlock& b, AttentionTask* task) {
    const CachedSegment& c = segments[b.segment];
    const int64_t column = int64_t{b.kv_head} * s.head_dim;
    task->split = c.prefix_length;
    task->rings[0] = RingOf(c.prefix, column, 0);
    task->rings[1] = RingOf(c.own, column, c.prefix_length);
  };
  // Decoding one sequence gives a task per key-value head: too few, or an odd one left over.
  if (Threads() > 1 && static_cast<int64_t>(blocks.size()) < 2 * Threads()) {
    std::deque<QueryTask> tasks;
    for (const QueryBlock& b : blocks) {
      tasks.emplace_back(s, b, q, o, Mat());
      set_keys(b, &tasks.back().task);
    }
    return RunShared(kernels, tasks);
  }
  ParallelFor(blocks.size(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      QueryTask t(s, blocks[i], q, o, Mat());
      set_keys(blocks[i], &t.task);
      t.task.scratch = t.Scratch();
      kernels.attention(t.task);
    }
  });
}

void RunAttentionBackward(const Kernels& kernels, const AttentionShape& s,
                          std::span<const Segment> segments, ConstMat q, ConstMat k, ConstMat v,
                          ConstMat o, ConstMat lse, ConstMat d_o, Mat dq, Mat dk, Mat dv) {
  CheckShape(s, q);
  const int64_t group = s.heads / s.kv_heads;
  ParallelFor(segments.size() * s.kv_heads, 1, [&](int64_t begin, int64_t end) {
    thread_local AlignedFloats scratch;
    for (int64_t i = begin; i < end; ++i) {
      const Segment& segment = segments[i / s.kv_heads];
      const int64_t kv_head = i % s.kv_heads, row = segment.begin;
      const int64_t tokens = segment.end - segment.begin;
      const int64_t column = kv_head * s.head_dim, q_column = column * group;
      const auto at = [row](auto m, int64_t col) { return m.data + row * m.stride + col; };
      kernels.attention_backward(
          {tokens,
           group,
           s.head_dim,
           s.scale,
           s.softcap,
           s.window,
           at(q, q_column),
           at(k, column),
           at(v, column),
           at(o, q_column),
           at(lse, kv_head * group),
           at(d_o, q_column),
           static_cast<int64_t>(q.stride),
           static_cast<int64_t>(k.stride),
           static_cast<int64_t>(v.stride),
           static_cast<int64_t>(o.stride),
           static_cast<int64_t>(lse.stride),
           static_cast<int64_t>(d_o.stride),
           at(dq, q_column),
           at(dk, column),
           at(dv, column),
           static_cast<int64_t>(dq.stride),
           static_cast<int64_t>(dk.stride),
           static_cast<int64_t>(dv.stride),
           s.precision == Precision::kBFloat16,
           scratch.Reserve(AttentionBackwardScratch(tokens, group, s.head_dim))});
    }
  });
}

}  // namespace lem::cpu
