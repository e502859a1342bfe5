// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/merges_of_scores.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/error.h"

namespace lem {
namespace {

struct Candidate {
  MergePair pair;
  float score = 0;
  uint32_t left_length = 0, right_length = 0;  // characters
};

bool IsContinuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

bool Before(const Candidate& a, const Candidate& b) {
  if (a.score != b.score) return a.score > b.score;
  if (a.left_length != b.left_length) return a.left_length > b.left_length;
  if (a.right_length != b.right_length) return a.right_length > b.right_length;
  return a.pair < b.pair;
}

void AddSplits(const Vocabulary& vocabulary, int32_t id, float score, std::vector<Candidate>* out) {
  const std::string_view text = vocabulary.text(id);
  uint32_t characters = 0;
  for (const char c : text) characters += !IsContinuation(c);
  uint32_t left_length = 0;
  for (size_t cut = 1; cut < text.size(); ++cut) {
    if (IsContinuation(text[cut])) continue;
    ++left_length;
    const int32_t left = vocabulary.Find(text.substr(0, cut));
    if (left < 0) continue;
    const int32_t right = vocabulary.Find(text.substr(cut));
    if (right < 0) continue;
    out->push_back({{left, right}, score, left_length, characters - left_length});
  }
}

int32_t ResultOf(const Vocabulary& vocabulary, const MergePair& pair) {
  std::string joined(vocabulary.text(pair.first));
  return vocabulary.FindAny(joined.append(vocabulary.text(pair.second)));
}

// The merges of learned pieces in a fixed order.
std::vector<MergePair> SortedLearned(const Vocabulary& vocabulary, std::vector<MergePair> merges) {
  std::erase_if(merges, [&](const MergePair& pair) {
    const auto learned = [&](int32_t id) { return vocabulary.kind(id) == PieceKind::kNormal; };
    return !learned(ResultOf(vocabulary, pair)) || !learned(pair.first) || !learned(pair.second);
  });
  std::sort(merges.begin(), merges.end());
  return merges;
}

[[noreturn]] void FailToScore(std::string_view where) {
  Fail(where,
       ": expected merges that scores of pieces can express, as GGUF stores them, found others; "
       "try keeping the model in its Hugging Face folder");
}

}  // namespace

std::vector<MergePair> MergesOfScores(const Vocabulary& vocabulary,
                                      const std::vector<float>& scores) {
  std::vector<Candidate> candidates;
  candidates.reserve(static_cast<size_t>(vocabulary.size()) * 2);
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const PieceKind kind = vocabulary.kind(id);
    if (vocabulary.Find(vocabulary.text(id)) != id) continue;
    if (kind == PieceKind::kUserDefined) {
      AddSplits(vocabulary, id, std::numeric_limits<float>::infinity(), &candidates);
    } else if (kind == PieceKind::kNormal) {
      AddSplits(vocabulary, id, scores[static_cast<size_t>(id)], &candidates);
    }
  }
  std::sort(candidates.begin(), candidates.end(), Before);
  std::vector<MergePair> merges;
  merges.reserve(candidates.size());
  for (const Candidate& candidate : candidates) merges.push_back(candidate.pair);
  return merges;
}

std::vector<float> ScoresOfMerges(const Vocabulary& vocabulary,
                                  const std::vector<MergePair>& merges, std::string_view where) {
  constexpr float kUnset = 1;
  std::vector<float> scores(static_cast<size_t>(vocabulary.size()), kUnset);
  float next = 0;
  int32_t last = -1;
  for (const MergePair& pair : merges) {
    const int32_t result = ResultOf(vocabulary, pair);
    if (vocabulary.kind(result) != PieceKind::kNormal) continue;
    float& score = scores[static_cast<size_t>(result)];
    if (result != last && score != kUnset) FailToScore(where);
    if (result != last) score = next--;
    last = result;
  }
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    float& score = scores[static_cast<size_t>(id)];
    if (score == kUnset) score = vocabulary.kind(id) == PieceKind::kNormal ? next-- : 0;
  }
  if (SortedLearned(vocabulary, MergesOfScores(vocabulary, scores)) !=
      SortedLearned(vocabulary, merges)) {
    FailToScore(where);
  }
  return scores;
}

}  // namespace lem
