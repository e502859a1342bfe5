// SPDX-License-Identifier: EUPL-1.2
// run.json: written and read.
#include "base/error.h"
#include "pipelines/run_record.h"

namespace lem {
namespace {

constexpr int kFormat = 1;

Json PlanJson(const RunPlan& plan) {
  Json out = Json::MakeObject();
  out.Set("model", Json(plan.model));
  out.Set("task", Json(plan.task));
  out.Set("config", Json(plan.config));
  out.Set("settings", plan.settings);
  Json::Array items;
  for (const std::string& item : plan.items) items.push_back(Json(item));
  out.Set("items", Json(std::move(items)));
  out.Set("items_in_data", Json(plan.items_in_data));
  out.Set("repeats", Json(plan.repeats));
  out.Set("seed", Json(std::to_string(plan.seed)));
  out.Set("subset", Json(plan.subset));
  return out;
}

uint64_t ParseSeed(const std::string& text, std::string_view where) {
  uint64_t seed = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') Fail(where, ": expected \"seed\" to be digits, found ", text);
    seed = seed * 10 + static_cast<uint64_t>(c - '0');
  }
  return seed;
}

RunPlan PlanFromJson(const Json& row, std::string_view where) {
  RunPlan plan;
  plan.model = row.At("model", where).AsString(where);
  plan.task = row.At("task", where).AsString(where);
  plan.config = row.At("config", where).AsString(where);
  plan.settings = row.At("settings", where);
  for (const Json& item : row.At("items", where).AsArray(where)) {
    plan.items.push_back(item.AsString(where));
  }
  plan.items_in_data = row.At("items_in_data", where).AsInteger(where);
  const int64_t repeats = row.At("repeats", where).AsInteger(where);
  if (repeats < 1 || repeats > 1000000) {
    Fail(where, ": expected \"repeats\" from 1 to 1000000, found ", repeats);
  }
  plan.repeats = static_cast<int>(repeats);
  plan.seed = ParseSeed(row.At("seed", where).AsString(where), where);
  plan.subset = row.At("subset", where).AsString(where);
  return plan;
}

const Json& ObjectAt(const Json& value, const char* key, std::string_view where) {
  const Json& member = value.At(key, where);
  member.AsObject(where);
  return member;
}

}  // namespace

const RunPlan* RunManifest::FindPlan(std::string_view model, std::string_view task) const {
  for (const RunPlan& plan : plans) {
    if (plan.model == model && plan.task == task) return &plan;
  }
  return nullptr;
}

void RunManifest::SetPlan(RunPlan plan) {
  for (RunPlan& existing : plans) {
    if (existing.model == plan.model && existing.task == plan.task) {
      existing = std::move(plan);
      return;
    }
  }
  plans.push_back(std::move(plan));
}

std::vector<std::string> RunManifest::model_names() const {
  std::vector<std::string> names;
  for (const auto& [name, record] : models.object()) names.push_back(name);
  return names;
}

std::vector<std::string> RunManifest::task_names() const {
  std::vector<std::string> names;
  for (const auto& [name, record] : tasks.object()) names.push_back(name);
  return names;
}

Json ToJson(const RunManifest& manifest) {
  Json out = Json::MakeObject();
  out.Set("lem_run", Json(kFormat));
  out.Set("created", Json(manifest.created));
  out.Set("tool", manifest.tool);
  out.Set("machine", manifest.machine);
  out.Set("models", manifest.models);
  out.Set("tasks", manifest.tasks);
  out.Set("judges", manifest.judges);
  out.Set("judge", Json(manifest.judge));
  Json::Array plans;
  for (const RunPlan& plan : manifest.plans) plans.push_back(PlanJson(plan));
  out.Set("plans", Json(std::move(plans)));
  out.Set("imported", manifest.imported);
  return out;
}

RunManifest ManifestFromJson(const Json& value, std::string_view where) {
  const int64_t format = value.At("lem_run", where).AsInteger(where);
  if (format != kFormat) {
    Fail(where, ": expected a run folder of format ", kFormat, ", found ", format,
         "; use the version of lem that wrote it");
  }
  RunManifest manifest;
  manifest.created = value.At("created", where).AsString(where);
  manifest.tool = value.At("tool", where);
  manifest.machine = value.At("machine", where);
  manifest.models = ObjectAt(value, "models", where);
  manifest.tasks = ObjectAt(value, "tasks", where);
  manifest.judges = ObjectAt(value, "judges", where);
  manifest.judge = value.At("judge", where).AsString(where);
  for (const Json& plan : value.At("plans", where).AsArray(where)) {
    manifest.plans.push_back(PlanFromJson(plan, where));
  }
  manifest.imported = value.At("imported", where);
  return manifest;
}

}  // namespace lem
