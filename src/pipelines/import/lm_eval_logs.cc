// SPDX-License-Identifier: EUPL-1.2
// lm-evaluation-harness: samples_TASK_TIME.jsonl (--log_samples), one row per document and filter;
// results_TIME.json beside it names the model. Multiple-choice tasks keep log-likelihoods.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <set>

#include "base/error.h"
#include "pipelines/import/collected_run.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 4;  // folders below --from

struct Mapping {
  const char* prefix;  // of lm-eval's task name
  const char* task;
  const char* set;  // of choices; "": written answers
};
constexpr Mapping kMappings[] = {{"truthfulqa_mc1", "truthfulqa-mc-v1", "mc1"},
                                 {"truthfulqa_mc2", "truthfulqa-mc-v1", "mc2"},
                                 {"truthfulqa_gen", "truthfulqa-gen", ""},
                                 {"toxigen", "toxigen", "yes-no"},
                                 {"gsm8k", "gsm8k", ""}};

const Mapping* FindMapping(const std::string& task) {
  for (const Mapping& mapping : kMappings) {
    if (task.starts_with(mapping.prefix)) return &mapping;
  }
  return nullptr;
}

// "samples_gsm8k_2026-01-31T12-00-00.000000.jsonl" -> "gsm8k".
std::string TaskOfFile(const fs::path& path) {
  std::string name = path.stem().string().substr(std::string("samples_").size());
  const size_t underscore = name.rfind('_');
  const bool dated = underscore != std::string::npos && underscore + 5 < name.size() &&
                     name[underscore + 5] == '-' && name[underscore + 1] == '2';
  return dated ? name.substr(0, underscore) : name;
}

bool IsSampleFile(const fs::path& path) {
  return path.extension() == ".jsonl" && path.filename().string().starts_with("samples_");
}

std::vector<fs::path> SampleFiles(const fs::path& from) {
  if (fs::is_regular_file(from)) return {from};
  if (!fs::is_directory(from)) Fail(from.string(), ": expected a sample log or a folder of them");
  std::vector<fs::path> files;
  for (auto entry = fs::recursive_directory_iterator(from);
       entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry.depth() >= kDeepest) entry.disable_recursion_pending();
    if (entry->is_regular_file() && IsSampleFile(entry->path())) files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string LastPart(const std::string& path) {
  const size_t slash = path.find_last_of("/\\");
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

// From results_*.json in the same folder, else the folder's name.
std::string ModelOf(const fs::path& samples) {
  const fs::path folder = samples.parent_path();
  std::vector<fs::path> results;
  for (const auto& entry : fs::directory_iterator(folder.empty() ? fs::path(".") : folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("results") && entry.path().extension() == ".json") {
      results.push_back(entry.path());
    }
  }
  std::sort(results.begin(), results.end());
  for (const fs::path& path : results) {
    const Json file = Json::ParseFile(path.string());
    const Json* name = file.Find("model_name");
    if (name != nullptr && name->IsString() && !name->string().empty()) {
      return LastPart(name->string());
    }
  }
  const std::string name = fs::absolute(folder).filename().string();
  return name.empty() ? "imported" : name;
}

// Numbers are numbers, or text in some versions ("-12.5", "inf").
double NumberOf(const Json& value, const std::string& where) {
  if (value.IsNumber()) return value.number();
  if (value.IsNull()) return std::numeric_limits<double>::quiet_NaN();
  const std::string& text = value.AsString(where);
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size()) {
    Fail(where, ": expected a log-likelihood, found \"", text, "\"");
  }
  return number;
}

bool TruthOf(const Json& value) {
  return value.IsBool() ? value.boolean() : value.IsString() && value.string() == "True";
}

// The i-th request's n-th argument: {"gen_args_0":{"arg_0":...}} or [[...]].
const Json* Argument(const Json& row, size_t i, size_t n) {
  const Json* arguments = row.Find("arguments");
  if (arguments == nullptr) return nullptr;
  if (arguments->IsObject()) {
    const Json* request = arguments->Find("gen_args_" + std::to_string(i));
    return request == nullptr ? nullptr : request->Find("arg_" + std::to_string(n));
  }
  if (!arguments->IsArray() || i >= arguments->size()) return nullptr;
  const Json& request = arguments->array()[i];
  return request.IsArray() && n < request.size() ? &request.array()[n] : nullptr;
}

std::string ArgumentText(const Json& row, size_t i, size_t n) {
  const Json* argument = Argument(row, i, n);
  return argument != nullptr && argument->IsString() ? argument->string() : "";
}

std::string QuestionOf(const Json& doc) {
  for (const char* key : {"question", "text", "prompt", "query", "input"}) {
    const Json* value = doc.Find(key);
    if (value != nullptr && value->IsString()) return value->string();
  }
  return "";
}

// Which choices are right: the labels of truthfulqa's targets, else the index in "target".
std::vector<bool> RightChoices(const Json& row, const std::string& set, size_t count,
                               const std::string& where) {
  std::vector<bool> right(count, false);
  const Json* targets = row.At("doc", where).Find(set + "_targets");
  const Json* labels = targets == nullptr ? nullptr : targets->Find("labels");
  if (labels != nullptr) {
    const Json::Array& list = labels->AsArray(where);
    for (size_t i = 0; i < count && i < list.size(); ++i) right[i] = list[i].AsNumber(where) == 1;
    return right;
  }
  const double index = NumberOf(row.At("target", where), where);
  if (index >= 0 && index < static_cast<double>(count)) right[static_cast<size_t>(index)] = true;
  return right;
}

std::string Stripped(const std::string& text) {
  return text.starts_with(' ') ? text.substr(1) : text;
}

void AddChoices(const Json& row, const std::string& set, const std::string& where, Sample& sample) {
  const Json::Array& answers = row.At("resps", where).AsArray(where);
  const std::vector<bool> right = RightChoices(row, set, answers.size(), where);
  for (size_t i = 0; i < answers.size(); ++i) {
    const Json* pair = &answers[i];
    if (pair->IsArray() && pair->size() == 1 && pair->array()[0].IsArray())
      pair = &pair->array()[0];
    const Json::Array& values = pair->AsArray(where);
    if (values.empty()) Fail(where, ": expected [log-likelihood, greedy] per choice, found none");
    ChoiceScore choice;
    choice.set = set;
    choice.text = Stripped(ArgumentText(row, i, 1));
    choice.right = right[i];
    choice.log_prob = NumberOf(values[0], where);
    choice.greedy = values.size() > 1 && TruthOf(values[1]);
    sample.choices.push_back(std::move(choice));
  }
}

// lm-eval's own verdicts on what we extract too: the same, or something is to be looked at.
struct Check {
  int64_t rows = 0, different = 0;
};

void CheckVerdict(const Json& row, const Sample& sample, Check& check) {
  const Json* filter = row.Find("filter");
  const Json* verdict = row.Find("exact_match");
  if (filter == nullptr || !filter->IsString() || verdict == nullptr || !verdict->IsNumber())
    return;
  if (!sample.reference.IsString()) return;
  const char* name = filter->string() == "strict-match"       ? "gsm8k.strict"
                     : filter->string() == "flexible-extract" ? "gsm8k.flexible"
                                                              : nullptr;
  if (name == nullptr) return;
  ++check.rows;
  check.different += FindMetric(name)->compute(sample, name).value != verdict->number() ? 1 : 0;
}

class LogReader {
 public:
  LogReader(CollectedRun& run, const fs::path& path)
      : run_(run), task_name_(TaskOfFile(path)), mapping_(FindMapping(task_name_)) {
    model_ = ModelOf(path);
    task_ = mapping_ == nullptr ? task_name_ : mapping_->task;
  }

  void Add(const Json& row, const std::string& where) {
    const int64_t id = row.At("doc_id", where).AsInteger(where);
    const Json::Array& answers = row.At("resps", where).AsArray(where);
    if (answers.empty()) Fail(where, ": expected \"resps\" to hold an answer, found none");
    const bool written =
        answers[0].IsString() || (answers[0].IsArray() && answers[0].size() > 0 &&
                                  answers[0].array()[0].IsString() && !IsPair(answers[0]));
    SetFacts(written);
    Sample sample = Described(row, id, where);
    if (written) {
      AddWritten(answers, row, where, std::move(sample));
    } else if (seen_.insert(id).second) {
      AddScored(row, where, std::move(sample));
    }
  }

  const Check& check() const { return check_; }

 private:
  // ["-12.5", "False"]: a log-likelihood written as text.
  static bool IsPair(const Json& value) {
    return value.size() == 2 && value.array()[1].IsString() &&
           (value.array()[1].string() == "True" || value.array()[1].string() == "False");
  }

  void SetFacts(bool written) {
    if (run_.HasFacts(task_)) return;
    TaskFacts facts = KnownFacts(task_);
    if (mapping_ == nullptr && !written) {
      facts.metrics = {"choices.mc1"};
      facts.primary = "choices.mc1";
    }
    run_.SetFacts(task_, std::move(facts));
  }

  Sample Described(const Json& row, int64_t id, const std::string& where) const {
    const Json& doc = row.At("doc", where);
    Sample sample;
    sample.task = task_;
    sample.model = model_;
    // lm-eval numbers documents as the files do, so these are our own ids for the whole sets.
    const std::string prefix = task_ == "gsm8k"              ? "gsm8k-"
                               : task_ == "truthfulqa-mc-v1" ? "tqa-"
                                                             : task_ + "-";
    sample.item = prefix + std::to_string(id);
    sample.question = QuestionOf(doc);
    sample.prompt = ArgumentText(row, 0, 0);
    sample.fields = Json::MakeObject();
    if (const Json* group = doc.Find("target_group"); group != nullptr && group->IsString()) {
      sample.fields.Set("target_group", *group);
    }
    const Json* target = row.Find("target");
    if (target != nullptr) sample.reference = *target;
    if (task_ == "toxigen" && target != nullptr) {
      sample.reference = Json(NumberOf(*target, where) == 1);
    }
    return sample;
  }

  void AddWritten(const Json::Array& answers, const Json& row, const std::string& where,
                  const Sample& sample) {
    const Json::Array list = answers[0].IsArray() ? answers[0].array() : Json::Array{answers[0]};
    const bool first = run_.Find(sample.task, sample.item, sample.model) == std::string::npos;
    for (const Json& answer : list) {
      Sample one = sample;
      one.response = answer.AsString(where);
      CheckVerdict(row, one, check_);
      if (first) run_.Add(std::move(one));  // other filters repeat the same answers
    }
  }

  void AddScored(const Json& row, const std::string& where, Sample sample) {
    const std::string set = mapping_ == nullptr ? "mc1" : mapping_->set;
    const size_t found = run_.Find(sample.task, sample.item, sample.model);
    if (found != std::string::npos) {  // mc1 and mc2 of one question are one item
      AddChoices(row, set, where, run_.sample(found));
      return;
    }
    AddChoices(row, set, where, sample);
    run_.Add(std::move(sample));
  }

  CollectedRun& run_;
  std::string task_name_, task_, model_;
  const Mapping* mapping_;
  std::set<int64_t> seen_;
  Check check_;
};

}  // namespace

void CollectLmEvalLogs(const std::string& from, CollectedRun& run, Progress& progress) {
  Check all;
  for (const fs::path& path : SampleFiles(from)) {
    run.AddFile(path.string());
    LogReader reader(run, path);
    for (const JsonLine& line : ReadJsonLines(path.string())) {
      reader.Add(line.value, path.string() + ":" + std::to_string(line.line));
    }
    all.rows += reader.check().rows;
    all.different += reader.check().different;
  }
  if (all.different > 0) {
    progress.Warn(from + ": " + std::to_string(all.different) + " of " + std::to_string(all.rows) +
                  " recorded verdicts differ from gsm8k.strict or gsm8k.flexible on the same "
                  "answers; the log may be of a changed task");
  }
}

}  // namespace lem
