// SPDX-License-Identifier: EUPL-1.2
// Rows -> items: ids, prompts, choice sets, references, fields.
#include <set>

#include "base/error.h"
#include "pipelines/run_record.h"
#include "pipelines/task.h"
#include "pipelines/task_rows.h"

namespace lem {
namespace {

// {field: NAME}, or {prefix: TEXT, start: N} for the place in the file.
std::string ItemId(const Json& rule, const TaskRow& row, size_t index, std::string_view where) {
  if (const Json* field = rule.Find("field")) {
    const Json& value = RowValue(row.values, field->AsString(where), row.where);
    const Json* prefix = rule.Find("prefix");
    return (prefix == nullptr ? "" : prefix->AsString(where)) +
           (value.IsString() ? value.string() : value.Dump());
  }
  const Json* start = rule.Find("start");
  const int64_t number = static_cast<int64_t>(index) + (start ? start->AsInteger(where) : 0);
  return rule.At("prefix", where).AsString(where) + std::to_string(number);
}

// true, false, NAME or !NAME of a true-or-false value.
bool IsRight(const Json& rule, const TaskRow& row, std::string_view where) {
  if (rule.IsBool()) return rule.boolean();
  const std::string& name = rule.AsString(where);
  const bool negated = !name.empty() && name[0] == '!';
  return RowValue(row.values, name.substr(negated), row.where).AsBool(row.where) != negated;
}

void AddNamed(const Json* names, bool right, const TaskRow& row, std::string_view where,
              std::vector<Choice>& choices) {
  if (names == nullptr) return;
  for (const Json& name : names->AsArray(where)) {
    const Json& value = RowValue(row.values, name.AsString(where), row.where);
    if (value.IsString()) {
      choices.push_back({value.string(), right});
      continue;
    }
    for (const Json& text : value.AsArray(row.where)) {
      choices.push_back({text.AsString(row.where), right});
    }
  }
}

std::vector<Choice> Choices(const Json& set, const TaskRow& row, std::string_view where) {
  std::vector<Choice> choices;
  if (const Json* targets = set.Find("targets")) {
    const Json& marks = RowValue(row.values, targets->AsString(where), row.where);
    for (const auto& [text, mark] : marks.AsObject(row.where)) {
      choices.push_back({text, mark.AsInteger(row.where) == 1});
    }
  }
  AddNamed(set.Find("right"), true, row, where, choices);
  AddNamed(set.Find("wrong"), false, row, where, choices);
  if (const Json* listed = set.Find("choices")) {
    for (const Json& choice : listed->AsArray(where)) {
      const std::string& text = choice.At("text", where).AsString(where);
      choices.push_back({FillTemplate(text, row.values, row.where),
                         IsRight(choice.At("right", where), row, where)});
    }
  }
  return choices;
}

std::vector<ChoiceSet> Sets(const Json& definition, const TaskRow& row, std::string_view where) {
  std::vector<ChoiceSet> sets;
  for (const Json& rule : definition.At("sets", where).AsArray(where)) {
    ChoiceSet set;
    set.name = rule.At("name", where).AsString(where);
    set.prompt = FillTemplate(rule.At("prompt", where).AsString(where), row.values, row.where);
    set.choices = Choices(rule, row, where);
    if (set.choices.size() < 2 || set.choices.size() > 1000) {
      Fail(row.where, ": expected 2 to 1000 choices in the set ", set.name, ", found ",
           set.choices.size());
    }
    sets.push_back(std::move(set));
  }
  return sets;
}

// The name of a value, or an object of key: name.
Json Reference(const Json* rule, const TaskRow& row, std::string_view where) {
  if (rule == nullptr) return Json();
  if (rule->IsString()) return RowValue(row.values, rule->string(), row.where);
  Json out = Json::MakeObject();
  for (const auto& [key, name] : rule->AsObject(where)) {
    out.Set(key, RowValue(row.values, name.AsString(where), row.where));
  }
  return out;
}

Json Fields(const Json* names, const TaskRow& row, std::string_view where) {
  Json out = Json::MakeObject();
  if (names == nullptr) return out;
  for (const Json& name : names->AsArray(where)) {
    const Json& value = RowValue(row.values, name.AsString(where), row.where);
    out.Set(name.string(), Json(value.IsString() ? value.string() : value.Dump()));
  }
  return out;
}

std::string ContentHash(const TaskItem& item) {
  Json parts = Json::MakeObject();
  parts.Set("prompt", Json(item.prompt));
  Json sets = Json::MakeArray();
  for (const ChoiceSet& set : item.sets) {
    Json list = Json::MakeArray();
    list.Append(Json(set.name));
    list.Append(Json(set.prompt));
    for (const Choice& choice : set.choices) {
      list.Append(Json(choice.text));
      list.Append(Json(choice.right));
    }
    sets.Append(std::move(list));
  }
  parts.Set("sets", std::move(sets));
  parts.Set("reference", item.reference);
  parts.Set("fields", item.fields);
  return HashJson(parts);
}

}  // namespace

std::vector<TaskItem> Task::LoadItems() const {
  const std::vector<TaskRow> rows = ReadTaskRows(definition_, where_);
  const std::string question = definition_.Has("question")
                                   ? definition_.At("question", where_).AsString(where_)
                                   : "{{question}}";
  std::vector<TaskItem> items;
  std::set<std::string> seen;
  for (size_t i = 0; i < rows.size(); ++i) {
    const TaskRow& row = rows[i];
    TaskItem item;
    item.id = ItemId(definition_.At("id", where_), row, i, where_);
    if (!seen.insert(item.id).second) {
      Fail(row.where, ": expected every id once, found ", item.id, " again");
    }
    item.question = FillTemplate(question, row.values, row.where);
    if (kind == TaskKind::kChoices) {
      item.sets = Sets(definition_, row, where_);
    } else {
      const std::string& prompt = definition_.At("prompt", where_).AsString(where_);
      item.prompt = FillTemplate(prompt, row.values, row.where);
    }
    item.reference = Reference(definition_.Find("reference"), row, where_);
    item.fields = Fields(definition_.Find("fields"), row, where_);
    item.content = ContentHash(item);
    items.push_back(std::move(item));
  }
  if (items.empty()) Fail(where_, ": the task ", name, " has no items");
  return items;
}

}  // namespace lem
