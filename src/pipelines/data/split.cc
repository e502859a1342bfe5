// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/random.h"
#include "lek/minhash.h"
#include "pipelines/data/training_row.h"

namespace lem {
namespace fs = std::filesystem;

namespace {

size_t Root(std::vector<size_t>& parent, size_t i) {
  while (parent[i] != i) i = parent[i] = parent[parent[i]];
  return i;
}

// Rows whose prompts or answers are near each other have one group, named by its first row.
std::vector<size_t> GroupNear(const std::vector<TrainingRow>& rows, double near) {
  std::vector<size_t> parent(rows.size());
  std::iota(parent.begin(), parent.end(), size_t{0});
  for (const char* role : {"user", "assistant"}) {
    std::vector<Shingles> shingles;
    for (const TrainingRow& row : rows) shingles.push_back(WordShingles(row.TextOf(role)));
    for (const NearPair& pair : FindNearPairs(shingles, near)) {
      const size_t a = Root(parent, pair.a), b = Root(parent, pair.b);
      parent[std::max(a, b)] = std::min(a, b);
    }
  }
  for (size_t i = 0; i < rows.size(); ++i) parent[i] = Root(parent, i);
  return parent;
}

int64_t WantedRows(const SplitOptions& options, size_t rows) {
  const auto count = static_cast<int64_t>(rows);
  const int64_t wanted =
      options.valid > 0
          ? options.valid
          : static_cast<int64_t>(std::llround(options.ratio * static_cast<double>(count)));
  if (wanted < 1 || wanted >= count) {
    FailUsage(options.file, ": expected a validation side of 1 to ", count - 1, " of its ", count,
              " rows, found ", wanted, "; change --valid or --ratio");
  }
  return wanted;
}

void CheckTarget(const fs::path& target, const SplitOptions& options) {
  if (!fs::exists(target)) return;
  if (fs::equivalent(target, options.file)) {
    Fail(target.string(), ": this is the file to be split; name another folder with --to");
  }
  if (!options.overwrite) {
    Fail(target.string(), ": this file exists; give --overwrite to replace it, or another --to");
  }
}

}  // namespace

std::vector<bool> ChooseValid(const std::vector<size_t>& groups, int64_t wanted, uint64_t seed) {
  std::map<size_t, std::vector<size_t>> members;
  for (size_t i = 0; i < groups.size(); ++i) members[groups[i]].push_back(i);
  std::vector<size_t> order;
  for (const auto& [group, rows] : members) order.push_back(group);
  CounterRandom random(seed, 0);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.NextBelow(i)]);
  std::vector<bool> valid(groups.size(), false);
  int64_t left = wanted;
  for (const size_t group : order) {
    const auto size = static_cast<int64_t>(members[group].size());
    if (size > left) continue;  // a smaller group may still fit
    for (const size_t row : members[group]) valid[row] = true;
    left -= size;
  }
  return valid;
}

SplitResult Split(const SplitOptions& options) {
  const std::vector<TrainingRow> rows = ReadTrainingRows(options.file);
  for (const TrainingRow& row : rows) {
    if (!row.problem.empty()) {
      Fail(row.file, ":", row.line, ": ", row.problem, "; run `lem data lint` on the file first");
    }
  }
  SplitResult result;
  result.wanted = WantedRows(options, rows.size());
  const fs::path folder =
      options.to.empty() ? fs::absolute(options.file).parent_path() : options.to;
  result.train = folder / "train.jsonl";
  result.valid = folder / "valid.jsonl";
  CheckTarget(result.train, options);
  CheckTarget(result.valid, options);
  const std::vector<size_t> groups = GroupNear(rows, options.near);
  result.groups = static_cast<int64_t>(std::set(groups.begin(), groups.end()).size());
  const std::vector<bool> valid = ChooseValid(groups, result.wanted, options.seed);
  AtomicFile train_file(result.train), valid_file(result.valid);
  for (size_t i = 0; i < rows.size(); ++i) {
    (valid[i] ? valid_file : train_file).Write(rows[i].raw + "\n");
    ++(valid[i] ? result.valid_rows : result.train_rows);
  }
  if (result.valid_rows == 0) {
    Fail(options.file, ": every group of near-duplicates is larger than the ", result.wanted,
         " rows wanted; raise --valid or --near");
  }
  train_file.Commit();
  valid_file.Commit();
  return result;
}

}  // namespace lem
