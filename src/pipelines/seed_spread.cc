// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/seed_spread.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/check.h"
#include "pipelines/metrics.h"

namespace lem {
namespace {

using Place = std::tuple<std::string, std::string, std::string>;  // task, metric, item

Place PlaceOf(const Score& score) { return {score.task, score.metric, score.item}; }

// The values of one seed's model, repeats averaged, as repeat `index` of the model `name`.
std::map<Place, Score> ValuesOf(const RunSide& side, int index, const std::string& name) {
  std::map<Place, std::vector<double>> values;
  for (const Score& score : KeptScores(*side.run)) {
    if (score.model == side.model && score.value) values[PlaceOf(score)].push_back(*score.value);
  }
  std::map<Place, Score> out;
  for (const auto& [place, of] : values) {
    double sum = 0;
    for (const double value : of) sum += value;
    Score score;
    std::tie(score.task, score.metric, score.item) = place;
    score.model = name;
    score.repeat = index;
    score.value = sum / static_cast<double>(of.size());
    out.emplace(place, std::move(score));
  }
  return out;
}

// By model, only what every one has.
std::vector<std::vector<Score>> CommonScores(std::span<const RunSide> seeds) {
  std::vector<std::map<Place, Score>> values;
  for (size_t i = 0; i < seeds.size(); ++i) {
    values.push_back(ValuesOf(seeds[i], static_cast<int>(i), seeds.front().model));
  }
  std::vector<std::vector<Score>> common(seeds.size());
  for (const auto& [place, score] : values.front()) {
    const auto has = [&at = place](const auto& of_seed) { return of_seed.contains(at); };
    if (!std::ranges::all_of(values, has)) continue;
    for (size_t i = 0; i < seeds.size(); ++i) common[i].push_back(values[i].at(place));
  }
  return common;
}

std::vector<Score> Joined(const std::vector<std::vector<Score>>& parts) {
  std::vector<Score> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

void AddSpread(double level, SeedRow* row) {
  if (row->differences.size() < 2) return;
  const MeanEstimate over = EstimateMean(row->differences, level);
  row->spread = over.standard_error * std::sqrt(static_cast<double>(row->differences.size()));
  if (*row->spread > 0) {
    row->over_seeds = WithinRange(over.interval, FindMetric(row->mean.metric));
  }
}

}  // namespace

SeedSet CompareSeeds(std::span<const RunSide> bases, std::span<const RunSide> seeds,
                     const ComparisonOptions& options) {
  LEM_CHECK(!seeds.empty() && (bases.size() == 1 || bases.size() == seeds.size()));
  const std::vector<std::vector<Score>> of_bases = CommonScores(bases);
  const std::vector<std::vector<Score>> of_seeds = CommonScores(seeds);
  const auto compare = [&](const std::vector<Score>& before, const std::vector<Score>& after) {
    return CompareSides(bases.front(), seeds.front(), before, after, options);
  };
  ComparisonSet mean = compare(Joined(of_bases), Joined(of_seeds));
  SeedSet set;
  for (const RunSide& seed : seeds) set.seeds.push_back(seed.model);
  for (const RunSide& base : bases) set.bases.push_back(base.model);
  set.family = options.family;
  set.level = options.level;
  set.warnings = std::move(mean.warnings);
  for (Comparison& comparison : mean.comparisons) {
    set.rows.push_back({std::move(comparison), {}, {}, {}});
  }
  for (size_t seed = 0; seed < seeds.size(); ++seed) {
    const ComparisonSet one = compare(of_bases[bases.size() == 1 ? 0 : seed], of_seeds[seed]);
    LEM_CHECK(one.comparisons.size() == set.rows.size());
    for (size_t i = 0; i < set.rows.size(); ++i) {
      set.rows[i].differences.push_back(one.comparisons[i].difference);
    }
  }
  for (SeedRow& row : set.rows) AddSpread(options.level, &row);
  return set;
}

}  // namespace lem
