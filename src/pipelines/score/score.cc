// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/score/score.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "formats/near_names.h"
#include "pipelines/metrics.h"
#include "pipelines/run_index.h"
#include "pipelines/score/judged.h"

namespace lem {
namespace {

void CheckNames(const std::vector<std::string>& metrics) {
  const std::vector<std::string> known = MetricNames();
  for (const std::string& name : metrics) {
    if (FindMetric(name) != nullptr) continue;
    FailUsage("--metric: there is no metric ", name,
              NearNames(name, std::vector<std::string_view>(known.begin(), known.end())));
  }
}

std::string Place(const std::string& item, int repeat) {
  return item + '\x1f' + std::to_string(repeat);
}

// What a plan asks for and nobody has answered.
Sample NotAnswered(const RunPlan& plan, const std::string& item, int repeat) {
  Sample sample;
  sample.task = plan.task;
  sample.model = plan.model;
  sample.item = item;
  sample.repeat = repeat;
  sample.state = State::kSkipped;
  sample.problem = "not answered";
  return sample;
}

bool Holds(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// The task's own metrics, and of the further ones those that belong to no task of this run.
std::vector<std::string> NamesFor(const RunManifest& manifest, const std::string& task,
                                  const std::vector<std::string>& further) {
  std::vector<std::string> names = FactsOf(manifest, task).metrics;
  CheckNames(names);
  for (const std::string& name : further) {
    bool belongs = false;
    for (const std::string& other : manifest.task_names()) {
      belongs = belongs || Holds(FactsOf(manifest, other).metrics, name);
    }
    if (!belongs) names.push_back(name);
  }
  return names;
}

class Scorer {
 public:
  explicit Scorer(const RunFolder& run) {
    current_ = run.manifest().judge;
    judges_.emplace_back(current_, JudgedScores(run, current_));
    for (const std::string& name : JudgesOf(run)) {
      if (name != current_) judges_.emplace_back(name, JudgedScores(run, name));
    }
  }

  void Add(const Sample& sample, const std::string& name, std::vector<Score>& scores) const {
    const Metric& metric = *FindMetric(name);
    if (!metric.judged) {
      scores.push_back(Computed(sample, metric));
      return;
    }
    scores.push_back(judges_[0].second.Of(sample, name));
    for (size_t i = 1; i < judges_.size(); ++i) {
      if (!judges_[i].second.Has(sample, name)) continue;
      Score other = judges_[i].second.Of(sample, name);
      other.metric += "@" + judges_[i].first;
      scores.push_back(std::move(other));
    }
  }

 private:
  Score Computed(const Sample& sample, const Metric& metric) const {
    if (!sample.answered()) {
      // An import may hold the recorded score of an answer that was not recorded.
      if (judges_[0].second.Has(sample, metric.name)) {
        return judges_[0].second.Of(sample, metric.name);
      }
      return Score::Missing(sample, metric.name, sample.state, sample.problem);
    }
    try {
      return metric.compute(sample, metric.name);
    } catch (const Error& e) {  // a pattern gave up on a hostile text
      return Score::Missing(sample, metric.name, State::kError, e.what());
    }
  }

  std::string current_;
  std::vector<std::pair<std::string, JudgedScores>> judges_;
};

}  // namespace

std::vector<Score> ScoresOf(const RunFolder& run, const std::vector<std::string>& further) {
  CheckNames(further);
  const Scorer scorer(run);
  std::vector<Score> scores;
  for (const RunPlan& plan : run.manifest().plans) {
    std::unordered_map<std::string, const Sample*> samples;
    for (const Sample* sample : run.samples(plan.model, plan.task)) {
      samples[Place(sample->item, sample->repeat)] = sample;
    }
    const std::vector<std::string> names = NamesFor(run.manifest(), plan.task, further);
    for (const std::string& item : plan.items) {
      for (int repeat = 0; repeat < plan.repeats; ++repeat) {
        const auto found = samples.find(Place(item, repeat));
        const bool known = found != samples.end();
        const Sample sample = known ? Sample() : NotAnswered(plan, item, repeat);
        for (const std::string& name : names) {
          scorer.Add(known ? *found->second : sample, name, scores);
        }
      }
    }
  }
  return scores;
}

void ScoreRun(RunFolder& run, const std::vector<std::string>& further, Progress& progress) {
  progress.Begin("scoring", 0, "answers");
  run.ReplaceScores(ScoresOf(run, further));
  RebuildIndex(run);
  progress.End();
}

}  // namespace lem
