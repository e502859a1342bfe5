// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "pipelines/append_log.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

// An exclusive lock on RUN/lock, which the kernel gives back when the process dies in any way.
class FolderLock {
 public:
  FolderLock() = default;
  explicit FolderLock(const fs::path& folder) {
    const fs::path path = folder / "lock";
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) Fail(path.string(), ": opening failed (", std::strerror(errno), ")");
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      const std::string owner = Owner();
      ::close(fd_);
      fd_ = -1;
      if (error != EWOULDBLOCK)
        Fail(path.string(), ": locking failed (", std::strerror(error), ")");
      Fail(folder.string(), ": expected to be the only writer, found process ", owner,
           " at work in this folder; wait for it, or choose another folder");
    }
    const std::string text = std::to_string(::getpid()) + "\n";
    // The number is for the message alone; a lock without it holds as well.
    if (::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, text.data(), text.size(), 0) < 0) errno = 0;
  }
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

 private:
  std::string Owner() const {
    char text[32] = {};
    const ssize_t size = ::pread(fd_, text, sizeof text - 1, 0);
    std::string owner(text, size > 0 ? static_cast<size_t>(size) : 0);
    while (!owner.empty() && (owner.back() < '0' || owner.back() > '9')) owner.pop_back();
    return owner.empty() ? "(unknown)" : owner;
  }

  int fd_ = -1;
};

// Whatever a process that was killed while it made the folder's first run.json leaves is ours.
bool HoldsOtherThings(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name != "lock" && !name.starts_with(".run.json.")) return true;
  }
  return false;
}

void CheckFolder(const fs::path& path, RunFolder::Access access) {
  if (IsRunFolder(path)) return;
  if (access != RunFolder::Access::kCreate) {
    Fail(path.string(), ": expected a run folder (with run.json), found ",
         fs::exists(path) ? "none" : "nothing",
         "; `lem bench --out` and `lem import --to` make one");
  }
  if (fs::exists(path) && !fs::is_directory(path)) {
    Fail(path.string(), ": expected a folder, found a file; choose another place for the run");
  }
  if (fs::exists(path) && HoldsOtherThings(path)) {
    Fail(path.string(),
         ": expected an empty or a run folder, found other files in it; choose "
         "another place for the run");
  }
  fs::create_directories(path);
}

template <class Row>
std::string Lines(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) text += ToJson(row).Dump() + "\n";
  return text;
}

}  // namespace

struct RunFolder::Files {
  fs::path path;
  FolderLock lock;
  bool writable = false;
  RunManifest manifest;
  std::vector<Sample> samples;
  std::unordered_map<std::string, size_t> newest;  // key -> index in samples
  std::vector<Judgement> judgements;
  std::vector<Score> scores;
  AppendLog sample_log, judgement_log;

  void CheckWritable() const {
    if (!writable) Fail(path.string(), ": was opened for reading only");
  }
  void Remember(Sample sample) {
    newest[sample.key] = samples.size();
    samples.push_back(std::move(sample));
  }
};

RunFolder::RunFolder(const fs::path& path, Access access, Progress& progress)
    : files_(std::make_unique<Files>()) {
  files_->path = path;
  files_->writable = access != Access::kRead;
  CheckFolder(path, access);
  if (files_->writable) files_->lock = FolderLock(path);
  if (IsRunFolder(path)) {
    const std::string name = (path / "run.json").string();
    files_->manifest = ManifestFromJson(Json::ParseFile(name), name);
  } else {
    files_->manifest.created = UtcNow();
    files_->manifest.tool = ToolRecord();
    SetManifest(files_->manifest);
  }
  AppendLog::Read(path / "samples.jsonl", progress, [&](const Json& row, std::string_view where) {
    files_->Remember(SampleFromJson(row, where));
  });
  AppendLog::Read(path / "judgements.jsonl", progress,
                  [&](const Json& row, std::string_view where) {
                    files_->judgements.push_back(JudgementFromJson(row, where));
                  });
  AppendLog::Read(path / "scores.jsonl", progress, [&](const Json& row, std::string_view where) {
    files_->scores.push_back(ScoreFromJson(row, where));
  });
}

RunFolder::~RunFolder() = default;
RunFolder::RunFolder(RunFolder&&) noexcept = default;
RunFolder& RunFolder::operator=(RunFolder&&) noexcept = default;

const fs::path& RunFolder::path() const { return files_->path; }
const RunManifest& RunFolder::manifest() const { return files_->manifest; }

void RunFolder::SetManifest(RunManifest manifest) {
  files_->CheckWritable();
  Json::Format format;
  format.indent = 1;
  WriteFileAtomically(files_->path / "run.json", ToJson(manifest).Dump(format) + "\n");
  files_->manifest = std::move(manifest);
}

const std::vector<Sample>& RunFolder::all_samples() const { return files_->samples; }

namespace {

using Current = std::unordered_map<std::string, const Sample*>;

std::string Place(std::string_view item, int repeat) {
  return std::string(item) + '\x1f' + std::to_string(repeat);
}

// Of the lines that belong to this plan: the newest answered one, else the newest failed one.
Current CurrentOf(const std::vector<const Sample*>& rows) {
  Current current;
  for (const Sample* sample : rows) {
    const Sample*& kept = current[Place(sample->item, sample->repeat)];
    if (kept == nullptr || sample->answered() || !kept->answered()) kept = sample;
  }
  return current;
}

void AddPlanSamples(const RunPlan& plan, const std::vector<const Sample*>& rows,
                    std::vector<const Sample*>& out) {
  const Current current = CurrentOf(rows);
  for (const std::string& item : plan.items) {
    for (int repeat = 0; repeat < plan.repeats; ++repeat) {
      const auto found = current.find(Place(item, repeat));
      if (found != current.end()) out.push_back(found->second);
    }
  }
}

std::string PlanPlace(const std::string& model, const std::string& task,
                      const std::string& config) {
  return model + '\x1f' + task + '\x1f' + config;
}

}  // namespace

std::vector<const Sample*> RunFolder::samples() const {
  std::unordered_map<std::string, std::vector<const Sample*>> rows;
  for (const Sample& sample : files_->samples) {
    rows[PlanPlace(sample.model, sample.task, sample.config)].push_back(&sample);
  }
  std::vector<const Sample*> out;
  for (const RunPlan& plan : files_->manifest.plans) {
    AddPlanSamples(plan, rows[PlanPlace(plan.model, plan.task, plan.config)], out);
  }
  return out;
}

std::vector<const Sample*> RunFolder::samples(std::string_view model, std::string_view task) const {
  std::vector<const Sample*> rows, out;
  const RunPlan* plan = files_->manifest.FindPlan(model, task);
  if (plan == nullptr) return out;
  for (const Sample& sample : files_->samples) {
    if (sample.model == model && sample.task == task && sample.config == plan->config) {
      rows.push_back(&sample);
    }
  }
  AddPlanSamples(*plan, rows, out);
  return out;
}

const Sample* RunFolder::Find(std::string_view key) const {
  const auto found = files_->newest.find(std::string(key));
  return found == files_->newest.end() ? nullptr : &files_->samples[found->second];
}

void RunFolder::Append(std::vector<Sample> samples) {
  files_->CheckWritable();
  if (!files_->sample_log.is_open()) files_->sample_log = AppendLog(path() / "samples.jsonl");
  files_->sample_log.Append(Lines(samples));
  for (Sample& sample : samples) files_->Remember(std::move(sample));
}

void RunFolder::Append(Sample sample) {
  std::vector<Sample> one;
  one.push_back(std::move(sample));
  Append(std::move(one));
}

const std::vector<Judgement>& RunFolder::judgements() const { return files_->judgements; }

void RunFolder::Append(std::vector<Judgement> judgements) {
  files_->CheckWritable();
  if (!files_->judgement_log.is_open()) {
    files_->judgement_log = AppendLog(path() / "judgements.jsonl");
  }
  files_->judgement_log.Append(Lines(judgements));
  for (Judgement& judgement : judgements) files_->judgements.push_back(std::move(judgement));
}

void RunFolder::Append(Judgement judgement) {
  std::vector<Judgement> one;
  one.push_back(std::move(judgement));
  Append(std::move(one));
}

const std::vector<Score>& RunFolder::scores() const { return files_->scores; }

void RunFolder::ReplaceScores(std::vector<Score> scores) {
  files_->CheckWritable();
  WriteFileAtomically(files_->path / "scores.jsonl", Lines(scores));
  files_->scores = std::move(scores);
}

bool IsRunFolder(const fs::path& path) { return fs::is_regular_file(path / "run.json"); }

}  // namespace lem
