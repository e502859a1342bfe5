// SPDX-License-Identifier: EUPL-1.2
// A task as data: a task file (YAML or JSON) says where its items lie, how a prompt is made of one,
// how the model is sampled, and which metrics apply. A new task needs no code.
// docs/evaluation.md describes the file; benchmarks/tasks/ holds the ones that ship.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace lem {

enum class TaskKind : uint8_t {
  kGenerate,  // the model writes an answer
  kChoices,   // given answers are compared by their log-likelihood; a ChoiceSet may show them as
              // (A) and (B), in both orders
};

struct TaskFile {      // of data
  std::string path;    // below the data folder (DataFolder), or below ProgramFolder
  bool ships = false;  // below ProgramFolder
  std::string sha256;  // expected; "" for files that ship with the program
  std::string url;     // where `lem data fetch` gets it; "" for files that ship
  int64_t rows = 0;    // expected; 0: not checked
};

struct Sampling {
  float temperature = 0;  // 0: greedy
  float top_p = 1;
  int max_tokens = 256;
};

// One choice of a set, as text that follows the set's prompt.
struct Choice {
  std::string text;  // without the joining space
  bool right = false;
};

// A question with given answers. The plain prompt is `prefix + prompt`, each choice is joined to it
// by Task::delimiter (" "; nothing after a chat template, as lm-eval does it).
struct ChoiceSet {
  std::string name;             // "mc1", "mc2", "mc0", "mc0-ab", "mc0-ba", "yes-no"
  std::string prompt;           // without the shared prefix
  std::vector<Choice> choices;  // at least two
};

struct TaskItem {
  std::string id;               // stable and canonical; never the position in a subset
  std::string question;         // as a person would read it
  std::string prompt;           // kGenerate: without the shared prefix
  std::vector<ChoiceSet> sets;  // kChoices
  // What metrics compare with. gsm8k, arithmetic: the gold number as text. truthfulqa:
  // {"best","best_false","true":[],"false":[]}. toxigen: true if hateful. Judged tasks: an object
  // of what the judge may see, or null.
  Json reference;
  // Named values of the row that reports group by ("risk_area", "group", "domain", ...): an object
  // of strings. Cluster() picks the one that the task names.
  Json fields;
  std::string content;  // hash of prompt, sets, reference and fields: part of AnswerKey
};

class Task {
 public:
  std::string name;   // "gsm8k", "truthfulqa-mc", ...
  int version = 1;    // raised when an old answer is no longer comparable
  std::string about;  // one sentence
  TaskKind kind = TaskKind::kGenerate;
  std::vector<TaskFile> files;
  // Shared beginning of all plain prompts: the few-shot examples, ending where the item's prompt
  // begins. It is the same for all items, so that its keys and values are computed once.
  std::string prefix;
  std::string system;           // system message with a chat template; "": none
  std::string delimiter = " ";  // between prompt and choice (and answer) without a template
  Sampling sampling;
  std::vector<std::string> stop;     // generation ends before any of these
  std::vector<std::string> metrics;  // names as in score/metrics.h, judged ones included
  std::string primary;               // the metric whose comparison is declared first
  std::string cluster;               // name in TaskItem::fields; "": every item for itself
  std::vector<std::string> groups;   // names in TaskItem::fields that reports break down by
  std::string rubric;                // for the judge; "": not judged
  std::string benign_twin_of;  // "safety" for safety-twins: reports draw the two as one plane; ""

  // Messages for a chat template: [system], then one user message of prefix + prompt (as lm-eval
  // does without fewshot_as_multiturn).
  Json Messages(std::string_view prompt) const;
  // The whole definition, with the data files' hashes, as kept in run.json.
  Json ToJson() const;
  // Of ToJson without `about`, URLs, groups, metrics and primary: what can change an answer.
  std::string hash() const;

  // Reads and checks the data. Throws Error naming the file, the URL and `lem data fetch` when it
  // is absent, the expected and the found hash when it differs, and the row when it is malformed.
  std::vector<TaskItem> LoadItems() const;

 private:
  friend Task ParseTask(const Json& definition, std::string_view where);
  Json definition_;
  std::string where_;  // of the definition, for messages
};

// A definition as a task file holds it. Throws Error naming the key, with the nearest known one.
Task ParseTask(const Json& definition, std::string_view where);
Task ReadTaskFile(const std::filesystem::path& path);
// `name`: a task that ships, or a path that ends in .yaml, .yml or .json. Throws UsageError with
// near misses.
Task FindTask(const std::string& name);
std::vector<std::string> TaskNames();  // that ship, sorted

// "small", "standard", "upstream": the tasks in order, and how many items of each. Throws
// UsageError.
struct SuiteEntry {
  std::string task;
  int64_t limit = 0;  // 0: all
};
std::vector<SuiteEntry> SuiteByName(const std::string& name);

// A part of the items: the first n, or n drawn without replacement by `seed` (kept in data order).
// n <= 0 or n >= items.size(): all, and `subset` stays "".
struct ItemSelection {
  std::vector<TaskItem> items;
  std::string subset;  // RunPlan::subset
};
ItemSelection FirstItems(std::vector<TaskItem> items, int64_t n);
ItemSelection SampleItems(std::vector<TaskItem> items, int64_t n, uint64_t seed);

// $LEM_DATA, else $LEM_HOME/data, else ~/.cache/lem/data.
std::filesystem::path DataFolder();
// Where the files that ship lie (benchmarks/, seeds/): $LEM_SHARE, else share/lem beside the
// program's folder, else the source tree it was built from.
std::filesystem::path ProgramFolder();

}  // namespace lem
