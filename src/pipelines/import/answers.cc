// SPDX-License-Identifier: EUPL-1.2
// Anyone's answers: one JSON object a line.
#include <cmath>
#include <limits>

#include "base/error.h"
#include "pipelines/import/collected_run.h"

namespace lem {
namespace {

// A name or a number as text.
std::string NameAt(const Json& row, const char* key, const std::string& where) {
  const Json& value = row.At(key, where);
  if (value.IsInteger()) return value.Dump();
  const std::string& name = value.AsString(where);
  if (name.empty()) Fail(where, ": expected \"", key, "\" to say something, found an empty text");
  return name;
}

std::string TextAt(const Json& row, const char* key, const std::string& where) {
  const Json* value = row.Find(key);
  return value == nullptr || value->IsNull() ? "" : value->AsString(where);
}

void ReadChoices(const Json& list, const std::string& where, Sample& sample) {
  for (const Json& row : list.AsArray(where)) {
    ChoiceScore choice;
    choice.set = row.At("set", where).AsString(where);
    choice.text = row.At("text", where).AsString(where);
    choice.right = row.At("right", where).AsBool(where);
    const Json& value = row.At("log_prob", where);
    choice.log_prob =
        value.IsNull() ? std::numeric_limits<double>::quiet_NaN() : value.AsNumber(where);
    if (const Json* tokens = row.Find("tokens")) {
      choice.tokens = static_cast<int>(tokens->AsInteger(where));
    }
    if (const Json* greedy = row.Find("greedy")) choice.greedy = greedy->AsBool(where);
    sample.choices.push_back(std::move(choice));
  }
}

// True when the row says which repeat it is.
bool ReadRepeat(const Json& row, const std::string& where, Sample& sample) {
  const Json* repeat = row.Find("repeat");
  if (repeat == nullptr || repeat->IsNull()) return false;
  const int64_t number = repeat->AsInteger(where);
  if (number < 0 || number > 100000) {
    Fail(where, ": expected \"repeat\" from 0 to 100000, found ", number);
  }
  sample.repeat = static_cast<int>(number);
  return true;
}

void AddRow(const Json& row, const std::string& where, CollectedRun& run) {
  row.AsObject(where);
  Sample sample;
  sample.task = NameAt(row, "task", where);
  sample.item = NameAt(row, "item", where);
  sample.model = NameAt(row, "model", where);
  sample.question = TextAt(row, "question", where);
  sample.prompt = TextAt(row, "prompt", where);
  sample.finish_reason = TextAt(row, "finish_reason", where);
  if (const Json* reference = row.Find("reference")) sample.reference = *reference;
  if (const Json* fields = row.Find("fields"); fields != nullptr && !fields->IsNull()) {
    fields->AsObject(where);
    sample.fields = *fields;
  }
  const Json* choices = row.Find("choices");
  if (choices != nullptr) ReadChoices(*choices, where, sample);
  const Json& response = choices != nullptr ? Json() : row.At("response", where);
  if (response.IsNull() && choices == nullptr) {
    sample.state = State::kError;
    sample.problem = "no response was recorded";
  } else if (choices == nullptr) {
    sample.response = response.AsString(where);
  }
  const bool keep_repeat = ReadRepeat(row, where, sample);
  if (!run.HasFacts(sample.task)) run.SetFacts(sample.task, KnownFacts(sample.task));
  run.Add(std::move(sample), keep_repeat);
}

}  // namespace

void CollectAnswers(const std::string& from, CollectedRun& run, Progress&) {
  run.AddFile(from);
  for (const JsonLine& line : ReadJsonLines(from)) {
    AddRow(line.value, from + ":" + std::to_string(line.line), run);
  }
}

}  // namespace lem
