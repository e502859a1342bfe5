// SPDX-License-Identifier: EUPL-1.2
// Judgements -> scores. Which attempt counts: the last good one of the judge's current
// configuration with purpose "main"; without a good one, the last failed one gives the state.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "pipelines/run_folder.h"

namespace lem {

class JudgedScores {
 public:
  // Of one judge of the manifest ("": nobody). RunManifest::judges[name]["hash"], when present, is
  // the configuration that counts. Keeps pointers into `run`.
  JudgedScores(const RunFolder& run, const std::string& judge);

  // kSkipped when nobody judged it; kOutOfRange for a value beyond the metric's range.
  Score Of(const Sample& sample, const std::string& metric) const;
  // True if there is a judgement of this answer that names the metric.
  bool Has(const Sample& sample, const std::string& metric) const;

 private:
  const Judgement* Find(const Sample& sample, const std::string& metric) const;

  std::string judge_;
  std::unordered_map<std::string, std::vector<const Judgement*>> by_sample_;
};

// Judges that have judgements in this run, the manifest's current one first.
std::vector<std::string> JudgesOf(const RunFolder& run);

}  // namespace lem
