// SPDX-License-Identifier: EUPL-1.2
// Texts that are nearly the same: sets of word 3-grams, found by MinHash with banding (Broder 1997;
// Indyk and Motwani 1998), each candidate then confirmed by its exact Jaccard similarity. So a pair
// that is reported is one; a pair at the threshold is missed with probability under 0.001.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lem {

// Hashes of the text's word 3-grams, sorted, each once. A shorter text is one shingle; one without
// words has none and is near nothing.
using Shingles = std::vector<uint64_t>;
Shingles WordShingles(std::string_view text);

double Jaccard(const Shingles& a, const Shingles& b);

struct NearPair {
  size_t a = 0, b = 0;  // a < b
  double jaccard = 0;
};

class NearIndex {
 public:
  static constexpr size_t kPermutations = 128;

  explicit NearIndex(double threshold);  // in (0, 1]

  // Documents added before that are at least `threshold` near, the nearest first.
  std::vector<NearPair> Find(const Shingles& shingles) const;
  void Add(Shingles shingles);  // its number is size() before the call
  size_t size() const { return documents_.size(); }

  size_t rows() const { return rows_; }  // per band
  size_t bands() const { return kPermutations / rows_; }

 private:
  std::vector<uint64_t> BandKeys(const Shingles& shingles) const;

  double threshold_;
  size_t rows_;
  std::vector<Shingles> documents_;
  std::unordered_map<uint64_t, std::vector<size_t>> buckets_;  // band key -> documents
};

// All pairs at or above the threshold, by (a, b).
std::vector<NearPair> FindNearPairs(const std::vector<Shingles>& documents, double threshold);

}  // namespace lem
