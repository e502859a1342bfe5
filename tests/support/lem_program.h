// SPDX-License-Identifier: EUPL-1.2
// The real program as a child process: its output, its errors, its exit code, and its sudden death.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/check.h"
#include "tests/support/scratch_folder.h"

namespace lem::testing {

struct ProgramOutput {
  int exit_code = -1;  // 128 + n when signal n ended it
  std::string out, err;
};

// Environment variables as "NAME=VALUE"; they are added to the test's own.
class LemProgram {
 public:
  explicit LemProgram(const std::vector<std::string>& arguments,
                      const std::vector<std::string>& environment = {}) {
    std::vector<std::string> words = {LEM_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    // Before the fork: a child that is killed at once has still said nothing into two files.
    const int out = Open("out"), err = Open("err");
    child_ = ::fork();
    LEM_CHECK(child_ >= 0);
    if (child_ > 0) ::close(out), ::close(err);
    if (child_ > 0) return;
    for (const std::string& variable : environment) {
      const size_t equals = variable.find('=');
      ::setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
    }
    if (::dup2(out, STDOUT_FILENO) < 0 || ::dup2(err, STDERR_FILENO) < 0) ::_exit(126);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ~LemProgram() {
    if (child_ > 0) Kill(SIGKILL), Wait();
  }
  LemProgram(const LemProgram&) = delete;
  LemProgram& operator=(const LemProgram&) = delete;

  void Kill(int signal) const { ::kill(child_, signal); }

  ProgramOutput Wait() {
    int status = 0;
    LEM_CHECK(::waitpid(std::exchange(child_, -1), &status, 0) > 0);
    ProgramOutput output;
    output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    output.out = ReadTextFile(folder_ / "out");
    output.err = ReadTextFile(folder_ / "err");
    return output;
  }

 private:
  int Open(const char* name) const {
    const int fd = ::open((folder_ / name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    LEM_CHECK(fd >= 0);
    return fd;
  }

  ScratchFolder folder_;
  pid_t child_ = -1;
};

inline ProgramOutput RunLem(const std::vector<std::string>& arguments,
                            const std::vector<std::string>& environment = {}) {
  return LemProgram(arguments, environment).Wait();
}

}  // namespace lem::testing
