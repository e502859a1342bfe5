// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/version.h"

namespace lem {
namespace {

Json FirstRow(const RunIdentity& identity) {
  Json row = identity.ToJson();
  row.Set("version", std::string(kVersion));
  row.Set("commit", std::string(kCommit));
  return row;
}

int OpenForAppend(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) Fail("--log ", path, ": cannot be opened for writing (", std::strerror(errno), ")");
  return fd;
}

Json Number(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

}  // namespace

RunLog RunLog::Create(const std::string& path, const RunIdentity& identity) {
  WriteFileAtomically(path, FirstRow(identity).Dump() + "\n");
  RunLog log;
  log.path_ = path;
  log.fd_ = OpenForAppend(path);
  return log;
}

RunLog RunLog::Continue(const std::string& path, const RunIdentity& identity, int64_t iteration) {
  if (!std::filesystem::exists(path)) return Create(path, identity);
  const std::string text = ReadTextFile(path);
  std::string kept;
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = text.substr(at, end - at);
    const Json row = Json::Parse(line, path);
    const Json* of = row.Find("iteration");
    if (!of || of->AsInteger(path) <= iteration) kept += line + "\n";
  }
  WriteFileAtomically(path, kept.empty() ? FirstRow(identity).Dump() + "\n" : kept);
  RunLog log;
  log.path_ = path;
  log.fd_ = OpenForAppend(path);
  return log;
}

RunLog::RunLog(RunLog&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

RunLog& RunLog::operator=(RunLog&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

RunLog::~RunLog() {
  if (fd_ >= 0) ::close(fd_);
}

void RunLog::Step(const StepEvent& e, uint64_t peak_memory_bytes) {
  Json row(Json::Object{{"iteration", e.iteration},
                        {"loss", Number(e.loss)},
                        {"tokens", e.tokens},
                        {"learning_rate", e.learning_rate},
                        {"grad_norm", Number(e.grad_norm)},
                        {"tokens_per_second", e.tokens_per_second},
                        {"peak_memory_bytes", peak_memory_bytes}});
  if (e.skipped) row.Set("skipped", true);
  if (e.rate) {
    row.Set("gemm_flops_per_second", e.rate->flops_per_second);
    row.Set("gemm_share", e.rate->share());
  }
  Write(row);
}

void RunLog::Validation(const ValidationEvent& e) {
  Write(Json(Json::Object{{"iteration", e.iteration}, {"val_loss", e.loss}}));
}

// One write per row, so that a killed run leaves whole rows.
void RunLog::Write(const Json& row) {
  if (fd_ < 0) return;
  const std::string line = row.Dump() + "\n";
  for (size_t done = 0; done < line.size();) {
    const ssize_t n = ::write(fd_, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) Fail("--log ", path_, ": cannot be written (", std::strerror(errno), ")");
    done += static_cast<size_t>(n);
  }
}

}  // namespace lem
