// SPDX-License-Identifier: EUPL-1.2
// One training recipe run with several seeds, against what it began from: one model, or, where it
// went on from another recipe's models, that of the same seed. Items are paired within a seed;
// seeds and items are two samples of their own and are never multiplied.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pipelines/comparison.h"

namespace lem {

struct SeedRow {
  // Base (or mean of the bases) -> mean over the seeds, item by item: what other items could give
  // with these seeds.
  Comparison mean;
  std::vector<double> differences;  // of each seed, on the same items as `mean`
  // Standard deviation between seeds, and Student's interval over them (seeds - 1 degrees of
  // freedom): what other seeds could give with these items. Unset for one seed, the interval also
  // when all seeds differ alike.
  std::optional<double> spread;
  std::optional<Interval> over_seeds;
};

struct SeedSet {
  std::string base, name;          // of the model or recipe compared with, of the recipe
  std::vector<std::string> seeds;  // models, in the order given
  std::vector<std::string> bases;  // models of the recipe compared with, in the same order
  std::string family;
  double level = 0.95;
  std::vector<SeedRow> rows;
  std::vector<std::string> warnings;
};

// `bases` holds one model for all seeds, or one for each. Only items with a value from every base
// and from every seed count. Throws Error when there are none. Leaves `base` and `name` to the
// caller.
SeedSet CompareSeeds(std::span<const RunSide> bases, std::span<const RunSide> seeds,
                     const ComparisonOptions& options);

}  // namespace lem
