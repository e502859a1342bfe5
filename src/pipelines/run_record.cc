// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/run_record.h"

#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>

#include "base/error.h"
#include "base/hash.h"
#include "base/version.h"

namespace lem {
namespace {

constexpr std::array<std::string_view, 8> kStates = {
    "ok", "unparsed", "out_of_range", "blocked", "truncated", "error", "timeout", "skipped"};

// --- reading: an absent key leaves the field as it is, a wrong type is an Error ------------------

void Read(const Json& row, const char* key, std::string_view where, std::string& out) {
  const Json* value = row.Find(key);
  if (value != nullptr && !value->IsNull()) out = value->AsString(where);
}

void Read(const Json& row, const char* key, std::string_view where, int& out) {
  const Json* value = row.Find(key);
  if (value == nullptr || value->IsNull()) return;
  const int64_t number = value->AsInteger(where);
  if (number < -1 || number > std::numeric_limits<int>::max()) {
    Fail(where, ": expected \"", key, "\" to be a count, found ", number);
  }
  out = static_cast<int>(number);
}

void Read(const Json& row, const char* key, std::string_view where, double& out) {
  const Json* value = row.Find(key);
  if (value != nullptr && !value->IsNull()) out = value->AsNumber(where);
}

void Read(const Json& row, const char* key, Json& out) {
  if (const Json* value = row.Find(key)) out = *value;
}

// Seeds are kept as text when they do not fit a signed number.
void ReadSeed(const Json& row, std::string_view where, uint64_t& out) {
  const Json* value = row.Find("seed");
  if (value == nullptr || value->IsNull()) return;
  if (!value->IsString()) {
    out = static_cast<uint64_t>(value->AsInteger(where));
    return;
  }
  out = 0;
  for (const char c : value->string()) {
    if (c < '0' || c > '9')
      Fail(where, ": expected \"seed\" to be digits, found ", value->string());
    out = out * 10 + static_cast<uint64_t>(c - '0');
  }
}

Json SeedJson(uint64_t seed) {
  if (seed <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return Json(seed);
  return Json(std::to_string(seed));
}

State ReadState(const Json& row, std::string_view where) {
  return StateByName(row.At("state", where).AsString(where), where);
}

void SetIf(Json& out, const char* key, const std::string& value) {
  if (!value.empty()) out.Set(key, Json(value));
}

void SetIf(Json& out, const char* key, const Json& value) {
  if (!value.IsNull()) out.Set(key, value);
}

Json ChoiceJson(const ChoiceScore& choice) {
  Json out = Json::MakeObject();
  out.Set("set", Json(choice.set));
  out.Set("text", Json(choice.text));
  out.Set("right", Json(choice.right));
  out.Set("log_prob", Json(choice.log_prob));
  out.Set("tokens", Json(choice.tokens));
  out.Set("greedy", Json(choice.greedy));
  return out;
}

ChoiceScore ChoiceFromJson(const Json& row, std::string_view where) {
  ChoiceScore choice;
  Read(row, "set", where, choice.set);
  choice.text = row.At("text", where).AsString(where);
  choice.right = row.At("right", where).AsBool(where);
  // JSON has no infinities: one was written as null, and metrics refuse what is not finite.
  choice.log_prob = std::numeric_limits<double>::quiet_NaN();
  Read(row, "log_prob", where, choice.log_prob);
  Read(row, "tokens", where, choice.tokens);
  if (const Json* greedy = row.Find("greedy")) choice.greedy = greedy->AsBool(where);
  return choice;
}

}  // namespace

std::string_view StateName(State state) { return kStates[static_cast<size_t>(state)]; }

State StateByName(std::string_view name, std::string_view where) {
  for (size_t i = 0; i < kStates.size(); ++i) {
    if (kStates[i] == name) return static_cast<State>(i);
  }
  Fail(where,
       ": expected a state (ok, unparsed, out_of_range, blocked, truncated, error, timeout, "
       "skipped), found ",
       name);
}

Json ToJson(const Sample& s) {
  Json out = Json::MakeObject();
  out.Set("key", Json(s.key));
  out.Set("config", Json(s.config));
  out.Set("task", Json(s.task));
  out.Set("item", Json(s.item));
  out.Set("model", Json(s.model));
  out.Set("repeat", Json(s.repeat));
  out.Set("seed", SeedJson(s.seed));
  out.Set("state", Json(StateName(s.state)));
  SetIf(out, "problem", s.problem);
  out.Set("question", Json(s.question));
  SetIf(out, "prompt", s.prompt);
  if (s.prompt_tokens >= 0) out.Set("prompt_tokens", Json(s.prompt_tokens));
  SetIf(out, "reference", s.reference);
  SetIf(out, "fields", s.fields);
  if (s.choices.empty()) {
    if (s.answered()) out.Set("response", Json(s.response));
  } else {
    Json::Array choices;
    for (const ChoiceScore& choice : s.choices) choices.push_back(ChoiceJson(choice));
    out.Set("choices", Json(std::move(choices)));
  }
  SetIf(out, "finish_reason", s.finish_reason);
  if (s.generation_tokens >= 0) out.Set("generation_tokens", Json(s.generation_tokens));
  if (s.log_prob) out.Set("log_prob", Json(*s.log_prob));
  if (s.seconds >= 0) out.Set("seconds", Json(s.seconds));
  return out;
}

Sample SampleFromJson(const Json& row, std::string_view where) {
  Sample s;
  s.key = row.At("key", where).AsString(where);
  s.config = row.At("config", where).AsString(where);
  s.task = row.At("task", where).AsString(where);
  s.item = row.At("item", where).AsString(where);
  s.model = row.At("model", where).AsString(where);
  s.state = ReadState(row, where);
  Read(row, "repeat", where, s.repeat);
  ReadSeed(row, where, s.seed);
  Read(row, "problem", where, s.problem);
  Read(row, "question", where, s.question);
  Read(row, "prompt", where, s.prompt);
  Read(row, "prompt_tokens", where, s.prompt_tokens);
  Read(row, "reference", s.reference);
  Read(row, "fields", s.fields);
  Read(row, "response", where, s.response);
  Read(row, "finish_reason", where, s.finish_reason);
  Read(row, "generation_tokens", where, s.generation_tokens);
  Read(row, "seconds", where, s.seconds);
  if (const Json* value = row.Find("log_prob"); value != nullptr && !value->IsNull()) {
    s.log_prob = value->AsNumber(where);
  }
  if (const Json* choices = row.Find("choices")) {
    for (const Json& choice : choices->AsArray(where)) {
      s.choices.push_back(ChoiceFromJson(choice, where));
    }
  }
  return s;
}

Json ToJson(const Judgement& j) {
  Json out = Json::MakeObject();
  out.Set("key", Json(j.key));
  out.Set("judge", Json(j.judge));
  out.Set("judge_config", Json(j.judge_config));
  SetIf(out, "sample", j.sample);
  out.Set("task", Json(j.task));
  out.Set("item", Json(j.item));
  out.Set("model", Json(j.model));
  out.Set("repeat", Json(j.repeat));
  out.Set("rubric", Json(j.rubric));
  out.Set("purpose", Json(j.purpose));
  SetIf(out, "order", j.order);
  out.Set("attempt", Json(j.attempt));
  out.Set("state", Json(StateName(j.state)));
  SetIf(out, "problem", j.problem);
  out.Set("values", j.values);
  SetIf(out, "detail", j.detail);
  SetIf(out, "raw", j.raw);
  if (j.seconds >= 0) out.Set("seconds", Json(j.seconds));
  return out;
}

Judgement JudgementFromJson(const Json& row, std::string_view where) {
  Judgement j;
  j.key = row.At("key", where).AsString(where);
  j.judge = row.At("judge", where).AsString(where);
  j.judge_config = row.At("judge_config", where).AsString(where);
  j.task = row.At("task", where).AsString(where);
  j.item = row.At("item", where).AsString(where);
  j.model = row.At("model", where).AsString(where);
  j.state = ReadState(row, where);
  Read(row, "sample", where, j.sample);
  Read(row, "repeat", where, j.repeat);
  Read(row, "rubric", where, j.rubric);
  Read(row, "purpose", where, j.purpose);
  Read(row, "order", where, j.order);
  Read(row, "attempt", where, j.attempt);
  Read(row, "problem", where, j.problem);
  Read(row, "values", j.values);
  Read(row, "detail", j.detail);
  Read(row, "raw", where, j.raw);
  Read(row, "seconds", where, j.seconds);
  if (j.state == State::kOk) j.values.AsObject(where);
  return j;
}

Score Score::Of(const Sample& sample, std::string metric, double value, Json detail) {
  // A value that is no number is not a value.
  if (!std::isfinite(value)) {
    return Missing(sample, std::move(metric), State::kError, "the value is not finite");
  }
  Score score;
  score.task = sample.task;
  score.item = sample.item;
  score.model = sample.model;
  score.repeat = sample.repeat;
  score.metric = std::move(metric);
  score.value = value;
  score.detail = std::move(detail);
  return score;
}

Score Score::Missing(const Sample& sample, std::string metric, State state, std::string problem) {
  Score score;
  score.task = sample.task;
  score.item = sample.item;
  score.model = sample.model;
  score.repeat = sample.repeat;
  score.metric = std::move(metric);
  score.state = state;
  score.detail = Json::MakeObject();
  score.detail.Set("problem", Json(std::move(problem)));
  return score;
}

Json ToJson(const Score& s) {
  Json out = Json::MakeObject();
  out.Set("task", Json(s.task));
  out.Set("item", Json(s.item));
  out.Set("model", Json(s.model));
  out.Set("metric", Json(s.metric));
  out.Set("repeat", Json(s.repeat));
  out.Set("value", s.value ? Json(*s.value) : Json());
  out.Set("state", Json(StateName(s.state)));
  out.Set("detail", s.detail);
  return out;
}

Score ScoreFromJson(const Json& row, std::string_view where) {
  Score s;
  s.task = row.At("task", where).AsString(where);
  s.item = row.At("item", where).AsString(where);
  s.model = row.At("model", where).AsString(where);
  s.metric = row.At("metric", where).AsString(where);
  s.state = ReadState(row, where);
  Read(row, "repeat", where, s.repeat);
  Read(row, "detail", s.detail);
  const Json& value = row.At("value", where);
  if (!value.IsNull()) s.value = value.AsNumber(where);
  if (s.value.has_value() != (s.state == State::kOk)) {
    Fail(where, ": expected a value if and only if the state is ok, found state ",
         StateName(s.state), s.value ? " with" : " without", " a value");
  }
  return s;
}

Json ToolRecord() {
  Json out = Json::MakeObject();
  out.Set("version", Json(kVersion));
  out.Set("commit", Json(kCommit));
  return out;
}

std::string UtcNow() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char text[32];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, size);
}

std::string HashJson(const Json& value) {
  Json::Format format;
  format.sort_keys = true;
  return Sha256Hex(value.Dump(format));
}

std::string AnswerKey(std::string_view config, std::string_view item, std::string_view content,
                      int repeat, uint64_t seed) {
  Json::Array parts = {Json(config), Json(item), Json(content), Json(repeat),
                       Json(std::to_string(seed))};
  return HashJson(Json(std::move(parts)));
}

}  // namespace lem
