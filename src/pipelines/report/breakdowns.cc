// SPDX-License-Identifier: EUPL-1.2
// Parts of a report that look inside a task: groups, baselines that know nothing, safety against
// helpfulness.
#include <algorithm>
#include <cmath>
#include <map>

#include "pipelines/metrics.h"
#include "pipelines/report/report_data.h"
#include "stats/intervals.h"

namespace lem {
namespace {

const Json* Definition(const ReportModel& model, const std::string& task) {
  return KeptDefinition(model.run->manifest(), task);
}

std::string TextField(const Json* definition, const char* key) {
  const Json* value = definition ? definition->Find(key) : nullptr;
  return value && value->IsString() ? value->string() : "";
}

std::vector<std::string> GroupFields(const Json* definition) {
  std::vector<std::string> fields;
  const Json* groups = definition ? definition->Find("groups") : nullptr;
  if (!groups || !groups->IsArray()) return fields;
  for (const Json& field : groups->array()) {
    if (field.IsString()) fields.push_back(field.string());
  }
  return fields;
}

void Estimate(const std::vector<double>& values, GroupRow* row) {
  const auto zero_or_one = [](double v) { return v == 0 || v == 1; };
  row->n = static_cast<int64_t>(values.size());
  const MeanEstimate mean = EstimateMean(values);
  row->value = mean.mean;
  if (std::ranges::all_of(values, zero_or_one)) {
    const Interval interval =
        WilsonInterval(std::llround(mean.mean * static_cast<double>(row->n)), row->n);
    row->low = interval.low, row->high = interval.high;
  } else if (row->n > 1) {
    row->low = mean.interval.low, row->high = mean.interval.high;
  }
}

// group -> values of `metric`, for one model and one field.
std::map<std::string, std::vector<double>> ValuesByGroup(const ReportData& data, size_t model,
                                                         const std::string& task,
                                                         const std::string& metric,
                                                         const std::string& field) {
  std::map<std::string, std::vector<double>> values;
  const auto of_task = data.items.find(task);
  if (of_task == data.items.end()) return values;
  for (const auto& [item, answers] : of_task->second) {
    for (const ReportItem& answer : answers) {
      const Json* group = answer.sample->fields.Find(field);
      if (answer.model != model || !group || !group->IsString()) continue;
      for (const Score* score : answer.scores) {
        if (score->metric == metric && score->value)
          values[group->string()].push_back(*score->value);
      }
    }
  }
  return values;
}

// Values of a binary rule over the distinct items of a task.
template <class Rule>
void AddBaseline(const ReportData& data, const std::string& task, const char* metric,
                 const char* name, Rule rule, std::vector<Baseline>* out) {
  const auto of_task = data.items.find(task);
  if (of_task == data.items.end()) return;
  double sum = 0;
  int64_t n = 0;
  for (const auto& [item, answers] : of_task->second) {
    const std::optional<double> value = rule(*answers.front().sample);
    if (value) sum += *value, ++n;
  }
  if (n > 0) out->push_back({task, metric, name, n, sum / static_cast<double>(n)});
}

std::vector<const ChoiceScore*> ChoicesOf(const Sample& sample, std::string_view set) {
  std::vector<const ChoiceScore*> choices;
  for (const ChoiceScore& choice : sample.choices) {
    if (choice.set == set) choices.push_back(&choice);
  }
  return choices;
}

std::optional<double> LongestIsRight(const Sample& sample) {
  const auto choices = ChoicesOf(sample, "mc1");
  if (choices.empty()) return std::nullopt;
  return (*std::ranges::max_element(choices, {},
                                    [](const ChoiceScore* c) { return c->text.size(); }))
      ->right;
}

std::optional<double> ChanceIsRight(const Sample& sample) {
  const auto choices = ChoicesOf(sample, "mc1");
  if (choices.empty()) return std::nullopt;
  return 1.0 / static_cast<double>(choices.size());
}

std::optional<double> IsHateful(const Sample& sample) {
  if (!sample.reference.IsBool()) return std::nullopt;
  return sample.reference.boolean() ? 1 : 0;
}

std::optional<double> RefusalRate(const ReportData& data, size_t model, const std::string& task,
                                  int64_t* n) {
  double sum = 0;
  *n = 0;
  const auto of_task = data.items.find(task);
  if (of_task == data.items.end()) return std::nullopt;
  for (const auto& [item, answers] : of_task->second) {
    for (const ReportItem& answer : answers) {
      if (answer.model != model) continue;
      for (const Score* score : answer.scores) {
        if (score->metric == "answer.refused" && score->value) sum += *score->value, ++*n;
      }
    }
  }
  if (*n == 0) return std::nullopt;
  return sum / static_cast<double>(*n);
}

}  // namespace

std::vector<GroupRow> GroupRows(const ReportData& data) {
  std::vector<GroupRow> rows;
  for (size_t model = 0; model < data.models.size(); ++model) {
    for (const std::string& task : data.tasks) {
      const Json* definition = Definition(data.models[model], task);
      const std::string metric = TextField(definition, "primary");
      for (const std::string& field : GroupFields(definition)) {
        for (const auto& [group, values] : ValuesByGroup(data, model, task, metric, field)) {
          GroupRow row{model, task, metric, field, group, 0, 0, {}, {}};
          Estimate(values, &row);
          rows.push_back(std::move(row));
        }
      }
    }
  }
  return rows;
}

std::vector<Baseline> Baselines(const ReportData& data) {
  std::vector<Baseline> out;
  for (const std::string& task : data.tasks) {
    AddBaseline(data, task, "mc1", "guessing", ChanceIsRight, &out);
    AddBaseline(data, task, "mc1", "always the longest choice", LongestIsRight, &out);
    if (task == "toxigen")
      AddBaseline(data, task, "detection", "always \"hateful\"", IsHateful, &out);
  }
  return out;
}

std::vector<PlanePoint> SafetyPlane(const ReportData& data) {
  std::vector<PlanePoint> points;
  for (size_t model = 0; model < data.models.size(); ++model) {
    for (const std::string& task : data.tasks) {
      const std::string risky_task =
          TextField(Definition(data.models[model], task), "benign_twin_of");
      if (risky_task.empty()) continue;
      PlanePoint point;
      point.model = model;
      const auto refused = RefusalRate(data, model, risky_task, &point.risky);
      const auto over = RefusalRate(data, model, task, &point.benign);
      if (!refused || !over) continue;
      point.refused = *refused;
      point.answered = 1 - *over;
      points.push_back(point);
    }
  }
  return points;
}

}  // namespace lem
