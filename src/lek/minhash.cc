// SPDX-License-Identifier: EUPL-1.2
#include "lek/minhash.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/random.h"
#include "lek/words.h"

namespace lem {
namespace {

constexpr size_t kShingleWords = 3;
constexpr uint64_t kSeed = 0x6c656b;  // fixed: a report is the same everywhere

uint64_t Mix(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// 64-bit words by which shingle hashes are permuted.
const std::array<uint64_t, NearIndex::kPermutations>& Permutations() {
  static const auto salts = [] {
    std::array<uint64_t, NearIndex::kPermutations> out;
    CounterRandom random(kSeed, 0);
    for (uint64_t& salt : out) salt = uint64_t{random.NextWord()} << 32 | random.NextWord();
    return out;
  }();
  return salts;
}

// The most rows per band (fewest false candidates) with a miss under 1 in 1000 at the threshold.
size_t RowsFor(double threshold) {
  for (size_t rows = 16; rows > 1; --rows) {
    const size_t bands = NearIndex::kPermutations / rows;
    const double one_band = std::pow(threshold, static_cast<double>(rows));
    if (std::pow(1 - one_band, static_cast<double>(bands)) < 0.001) return rows;
  }
  return 1;
}

bool NearestFirst(const NearPair& x, const NearPair& y) {
  return x.jaccard != y.jaccard ? x.jaccard > y.jaccard : x.a < y.a;
}

}  // namespace

Shingles WordShingles(std::string_view text) {
  const std::vector<Word> words = SplitWords(text);
  Shingles shingles;
  if (words.empty()) return shingles;
  const size_t count = std::min(kShingleWords, words.size());
  for (size_t i = 0; i + count <= words.size(); ++i) {
    shingles.push_back(HashWords(words, i, count));
  }
  std::ranges::sort(shingles);
  shingles.erase(std::unique(shingles.begin(), shingles.end()), shingles.end());
  return shingles;
}

double Jaccard(const Shingles& a, const Shingles& b) {
  if (a.empty() || b.empty()) return 0;
  size_t both = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j])
      ++both, ++i, ++j;
    else if (a[i] < b[j])
      ++i;
    else
      ++j;
  }
  return static_cast<double>(both) / static_cast<double>(a.size() + b.size() - both);
}

NearIndex::NearIndex(double threshold) : threshold_(threshold), rows_(RowsFor(threshold)) {
  LEM_CHECK(threshold > 0 && threshold <= 1);
}

std::vector<uint64_t> NearIndex::BandKeys(const Shingles& shingles) const {
  const auto& salts = Permutations();
  std::vector<uint64_t> keys;
  for (size_t band = 0; band < bands(); ++band) {
    uint64_t key = Mix(band);
    for (size_t row = 0; row < rows_; ++row) {
      uint64_t least = std::numeric_limits<uint64_t>::max();
      for (const uint64_t shingle : shingles) {
        least = std::min(least, Mix(shingle ^ salts[band * rows_ + row]));
      }
      key = Mix(key ^ least);
    }
    keys.push_back(key);
  }
  return keys;
}

std::vector<NearPair> NearIndex::Find(const Shingles& shingles) const {
  std::vector<NearPair> found;
  if (shingles.empty()) return found;
  std::vector<size_t> candidates;
  for (const uint64_t key : BandKeys(shingles)) {
    if (const auto bucket = buckets_.find(key); bucket != buckets_.end()) {
      candidates.insert(candidates.end(), bucket->second.begin(), bucket->second.end());
    }
  }
  std::ranges::sort(candidates);
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  for (const size_t document : candidates) {
    const double jaccard = Jaccard(documents_[document], shingles);
    if (jaccard >= threshold_) found.push_back({document, documents_.size(), jaccard});
  }
  std::ranges::sort(found, NearestFirst);
  return found;
}

void NearIndex::Add(Shingles shingles) {
  if (!shingles.empty()) {
    for (const uint64_t key : BandKeys(shingles)) buckets_[key].push_back(documents_.size());
  }
  documents_.push_back(std::move(shingles));
}

std::vector<NearPair> FindNearPairs(const std::vector<Shingles>& documents, double threshold) {
  NearIndex index(threshold);
  std::vector<NearPair> pairs;
  for (const Shingles& document : documents) {
    const std::vector<NearPair> found = index.Find(document);
    pairs.insert(pairs.end(), found.begin(), found.end());
    index.Add(document);
  }
  std::ranges::sort(pairs, [](const NearPair& x, const NearPair& y) {
    return x.a != y.a ? x.a < y.a : x.b < y.b;
  });
  return pairs;
}

}  // namespace lem
