// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/distill/receipts.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"

namespace lem {
namespace fs = std::filesystem;

namespace {

constexpr int kVersion = 1;

bool IsFileAt(int fd, const fs::path& path) {
  struct stat opened = {}, there = {};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &there) == 0 &&
         opened.st_ino == there.st_ino && opened.st_dev == there.st_dev;
}

// The lock is on the file itself, which is replaced at the end of a run: hence the second look.
int Lock(const fs::path& path) {
  while (true) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) Fail(path.string(), ": cannot be opened (", std::strerror(errno), ")");
    const bool locked = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (locked && IsFileAt(fd, path)) return fd;
    ::close(fd);
    if (!locked) {
      Fail(path.string(),
           ": another process writes this file; wait for it, or choose another "
           "--output");
    }
  }
}

Json Hashed(const DistillPrompt& prompt) { return Json(Sha256Hex(prompt.text)); }

// The first member that differs, for people.
std::string Difference(const Json& kept, const Json& now) {
  for (const auto& [key, value] : now.object()) {
    const Json* old = kept.Find(key);
    if (!old || *old != value) {
      return key + " was " + (old ? old->Dump() : "not there") + " and is " + value.Dump();
    }
  }
  return "it has members that this version does not know";
}

}  // namespace

Json DistillConfiguration(const Kernel& kernel, KernelForm form, const Json& teacher,
                          const TeacherRequest& request, uint64_t seed) {
  Json configuration = Json::MakeObject();
  configuration.Set("kernel_sha256", Json(kernel.text_sha256));
  configuration.Set("axioms_sha256", Json(kernel.axioms_sha256));
  configuration.Set("form", Json(NameOf(form)));
  configuration.Set("teacher", teacher);
  configuration.Set("temperature", Json(request.temperature));
  configuration.Set("top_p", Json(request.top_p));
  configuration.Set("max_tokens", Json(request.max_tokens));
  configuration.Set("seed", Json(seed));
  return configuration;
}

Receipts::Receipts(fs::path path, const Json& configuration,
                   const std::vector<DistillPrompt>& prompts, Progress& progress)
    : path_(std::move(path)), configuration_(configuration), prompts_(prompts) {
  for (size_t i = 0; i < prompts.size(); ++i) by_id_[prompts[i].id] = i;
  if (path_.has_parent_path()) fs::create_directories(path_.parent_path());
  lock_ = Lock(path_);
  try {
    Read(progress);
    log_ = AppendLog(path_);
    if (rows_.empty()) {
      Json row = Json::MakeObject();
      row.Set("type", Json("run"));
      row.Set("version", Json(kVersion));
      row.Set("configuration", configuration_);
      log_.Append(row.Dump() + "\n");
      rows_.push_back(row);
    }
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

Receipts::~Receipts() { ::close(lock_); }

void Receipts::Read(Progress& progress) {
  AppendLog::Read(path_, progress,
                  [&](const Json& row, std::string_view where) { ReadRow(row, where); });
}

void Receipts::ReadRow(Json row, std::string_view where) {
  const std::string& type = row.At("type", where).AsString(where);
  if (rows_.empty()) {
    if (type != "run" || row.At("version", where).AsInteger(where) != kVersion) {
      Fail(where, ": expected the first row of a receipt file of version ", kVersion);
    }
    const Json& kept = row.At("configuration", where);
    if (kept != configuration_) {
      Fail(path_.string(), ": these answers were asked for in another way (",
           Difference(kept, configuration_), "); ask in the same way, or choose another --output");
    }
    rows_.push_back(std::move(row));
    return;
  }
  const size_t prompt = PromptIndex(row, where);
  const auto sample = static_cast<int>(row.At("sample", where).AsInteger(where));
  ++attempts_[{prompt, sample}];
  if (row.At("final", where).AsBool(where)) settled_[{prompt, sample}] = rows_.size();
  rows_.push_back(std::move(row));
}

size_t Receipts::PromptIndex(const Json& row, std::string_view where) const {
  const std::string& id = row.At("prompt", where).AsString(where);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) {
    Fail(where, ": this answer is to prompt ", id,
         ", which is not among the prompts given; add its file, or choose another --output");
  }
  if (row.At("prompt_sha256", where) != Hashed(prompts_[found->second])) {
    Fail(where, ": prompt ", id,
         " has another text now; give it another id, or choose another "
         "--output");
  }
  return found->second;
}

int Receipts::Attempts(size_t prompt, int sample) const {
  const auto found = attempts_.find({prompt, sample});
  return found == attempts_.end() ? 0 : found->second;
}

void Receipts::Add(size_t prompt, int sample, const TeacherAnswer& answer) {
  Json row = Json::MakeObject();
  row.Set("type", Json("attempt"));
  row.Set("prompt", Json(prompts_[prompt].id));
  row.Set("prompt_sha256", Hashed(prompts_[prompt]));
  row.Set("sample", Json(sample));
  row.Set("attempt", Json(Attempts(prompt, sample)));
  row.Set("final", Json(answer.final));
  row.Set("state", Json(answer.state));
  row.Set("status", answer.status > 0 ? Json(answer.status) : Json());
  row.Set("problem", answer.problem.empty() ? Json() : Json(answer.problem));
  row.Set("finish_reason", Json(answer.finish_reason));
  row.Set("prompt_tokens", Json(answer.prompt_tokens));
  row.Set("answer_tokens", Json(answer.answer_tokens));
  row.Set("answer", answer.final ? Json(answer.text) : Json());
  row.Set("answer_sha256", answer.final ? Json(Sha256Hex(answer.text)) : Json());
  row.Set("request", configuration_);
  log_.Append(row.Dump() + "\n");
  ++attempts_[{prompt, sample}];
  if (answer.final) settled_[{prompt, sample}] = rows_.size();
  rows_.push_back(std::move(row));
}

std::vector<Candidate> Receipts::Candidates(int samples) const {
  std::vector<Candidate> candidates;
  for (const auto& [place, row] : settled_) {
    if (place.second >= samples) continue;
    const std::string where = path_.string();
    Candidate candidate;
    candidate.prompt = place.first;
    candidate.sample = place.second;
    candidate.state = rows_[row].At("state", where).AsString(where);
    candidate.answer = rows_[row].At("answer", where).AsString(where);
    if (rows_[row].At("answer_sha256", where) != Json(Sha256Hex(candidate.answer))) {
      Fail(where, ": the answer to ", prompts_[place.first].id, ", sample ", place.second,
           ", does not have its recorded SHA-256; the file was changed");
    }
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

void Receipts::WriteDecisions(const std::vector<Candidate>& candidates) {
  for (const Candidate& candidate : candidates) {
    Json gates = Json::MakeArray();
    for (const GateDecision& decision : candidate.gates) {
      Json gate = Json::MakeObject();
      gate.Set("gate", Json(decision.gate));
      gate.Set("passed", Json(decision.passed));
      if (!decision.passed) gate.Set("detail", Json(decision.detail));
      gates.Append(gate);
    }
    Json& row = rows_[settled_.at({candidate.prompt, candidate.sample})];
    row.Set("gates", gates);
    row.Set("chosen", Json(candidate.chosen));
  }
  AtomicFile file(path_);
  for (const Json& row : rows_) file.Write(row.Dump() + "\n");
  file.Commit();
  log_ = AppendLog(path_);
}

}  // namespace lem
