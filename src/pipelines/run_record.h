// SPDX-License-Identifier: EUPL-1.2
// The rows of a run folder, field by field: an answer, a judgement, a score, and run.json.
// A result that is absent is a state with a reason; no number ever stands for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace lem {

// What became of an answer, a judgement or a score. Only kOk carries a value.
enum class State : uint8_t {
  kOk,
  kUnparsed,    // there is text, but the value could not be read from it
  kOutOfRange,  // a value was read, and it is none of the allowed ones
  kBlocked,     // the provider's safety filter withheld it
  kTruncated,   // cut off before the value was complete
  kError,       // anything else that went wrong; the reason is beside it
  kTimeout,     // gave up waiting
  kSkipped,     // not attempted; the reason is beside it ("no judge was given")
};
std::string_view StateName(State state);                           // "ok", "out_of_range", ...
State StateByName(std::string_view name, std::string_view where);  // throws Error

// One choice of a log-likelihood item, scored.
struct ChoiceScore {
  std::string
      set;  // the ChoiceSet it belongs to: "mc1", "mc2", "mc0", "mc0-ab", "mc0-ba", "yes-no"
  std::string text;  // as in the data, without the joining space
  bool right = false;
  double log_prob = 0;  // summed over its tokens, nats
  int tokens = 0;
  bool greedy = false;  // every token is the model's first choice
};

// One line of samples.jsonl: what one model answered to one item once.
struct Sample {
  std::string key;     // AnswerKey of everything that made it
  std::string config;  // PlanConfig hash: the part of `key` that all items of model x task share
  std::string task, item, model;
  int repeat = 0;
  uint64_t seed = 0;         // of this very answer
  State state = State::kOk;  // kOk: there is an answer, be it empty or cut off
  std::string problem;       // one phrase, when not kOk
  std::string question;      // as a person would read it
  std::string prompt;        // exactly what the model was given, template applied; "" when unknown
  int prompt_tokens = -1;    // -1: unknown
  Json reference;            // what metrics compare with (task.h, TaskItem::reference)
  Json fields;           // of the item: cluster and groups (task.h, TaskItem::fields), an object
  std::string response;  // generate tasks
  std::string finish_reason;         // "stop", "length", "" when unknown
  int generation_tokens = -1;        // -1: unknown
  std::optional<double> log_prob;    // of the response's tokens, summed, when known
  std::vector<ChoiceScore> choices;  // log-likelihood tasks, in the item's order
  double seconds = -1;               // wall time of this answer's share of the batch; -1: unknown

  bool answered() const { return state == State::kOk; }
};
Json ToJson(const Sample& sample);
Sample SampleFromJson(const Json& row, std::string_view where);  // throws Error

// One line of judgements.jsonl: one attempt of one judge at one question about one answer.
// Every attempt is kept; JudgedScores (score/judged.h) decides which counts.
struct Judgement {
  std::string key;           // hash of judge configuration, rubric, answer key, purpose and order
  std::string judge;         // short name, as in run.json's "judges"
  std::string judge_config;  // hash of its whole configuration, rubric and schema included
  std::string sample;        // Sample::key it judges; "" for canaries and calibration rows
  std::string task, item, model;
  int repeat = 0;
  std::string rubric;            // "truthfulqa", "do-not-answer", "toxigen", "ethics", ...
  std::string purpose = "main";  // main | retest | canary | pair
  std::string order;             // "ab" or "ba" for pairs, else ""
  int attempt = 0;               // 0-based, in the order they were made
  State state = State::kOk;
  std::string problem;
  Json values;      // metric name -> number, an object; null unless kOk
  Json detail;      // what else the judge told: probabilities, entropy, reasoning, served model
  std::string raw;  // the reply as it came
  double seconds = -1;
};
Json ToJson(const Judgement& judgement);
Judgement JudgementFromJson(const Json& row, std::string_view where);

// One line of scores.jsonl.
struct Score {
  std::string task, item, model, metric;
  int repeat = 0;
  std::optional<double> value;  // set if and only if state is kOk
  State state = State::kOk;
  Json detail;  // null, or an object: extracted text, span, rule, sub-scores, judge, problem

  static Score Of(const Sample& sample, std::string metric, double value, Json detail = Json());
  static Score Missing(const Sample& sample, std::string metric, State state, std::string problem);
};
Json ToJson(const Score& score);
Score ScoreFromJson(const Json& row, std::string_view where);

// What was asked of one model on one task: which items, how often, with which settings. It decides
// which answers are current (Sample::config == config) and which are missing.
struct RunPlan {
  std::string model, task;
  std::string config;              // PlanConfig(settings)
  Json settings;                   // everything that shapes an answer, an object (see PlanConfig)
  std::vector<std::string> items;  // ids in the order of the data
  int64_t items_in_data = 0;
  int repeats = 1;
  uint64_t seed = 0;
  // "", or how the subset was drawn: "first 50", "sample 50, seed 7", "recorded". Not "" means that
  // every output that shows a number of it says so.
  std::string subset;
};

// run.json.
struct RunManifest {
  std::string created;               // UTC, 2026-01-31T12:00:00Z
  Json tool;                         // {"version","commit"}
  Json machine;                      // {"cpu","kernels","threads","memory_bytes"}; null for imports
  Json models = Json::MakeObject();  // name -> {"path","weights_sha256","adapter_path",...}
  Json tasks = Json::MakeObject();   // name -> Task::ToJson(): definition, version, data hashes
  Json judges = Json::MakeObject();  // name -> full configuration, without keys
  std::string judge;                 // the one whose scores carry the plain metric names; "" : none
  std::vector<RunPlan> plans;        // one per (model, task)
  Json imported;                     // null, or {"format","from","files":{name:sha256}}

  const RunPlan* FindPlan(std::string_view model, std::string_view task) const;
  void SetPlan(RunPlan plan);  // replaces the one of the same model and task, or appends
  std::vector<std::string> model_names() const;  // in the order they were added
  std::vector<std::string> task_names() const;
};
Json ToJson(const RunManifest& manifest);
RunManifest ManifestFromJson(const Json& value, std::string_view where);

// {"version","commit"} of this build; and the time now as RunManifest::created has it.
Json ToolRecord();
std::string UtcNow();

// SHA-256 of the value's canonical text (keys sorted, compact): the same for equal values.
std::string HashJson(const Json& value);

// settings must hold whatever can change an answer: weights, adapter, tokenizer and template
// hashes, dtype, the task definition's hash, sampling, stop strings, max tokens, engine revision.
// It must not hold what cannot: batch size, threads, paths, times.
inline std::string PlanConfig(const Json& settings) { return HashJson(settings); }

// The name of one answer. `content` is TaskItem::content (hash of the item as shown).
std::string AnswerKey(std::string_view config, std::string_view item, std::string_view content,
                      int repeat, uint64_t seed);

}  // namespace lem
