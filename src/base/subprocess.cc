// SPDX-License-Identifier: EUPL-1.2
#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/stop.h"

extern char** environ;

namespace lem {
namespace {

constexpr size_t kKeptOutput = 64 << 10;

// Starts `command` with stdin closed and both outputs in one pipe. Returns the read end.
int Start(const std::vector<std::string>& command, pid_t* pid) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    Fail(command[0], ": cannot make a pipe (", std::strerror(errno), ")");
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  const int error = ::posix_spawnp(pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    Fail(command[0], ": cannot start this program (", std::strerror(error), ")");
  }
  return ends[0];
}

void Drain(int fd, pid_t pid, std::string* output) {
  char buffer[4096];
  for (;;) {
    if (StopRequested()) ::kill(pid, SIGTERM);
    pollfd wait = {fd, POLLIN, 0};
    if (::poll(&wait, 1, 200) <= 0) continue;
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    output->append(buffer, static_cast<size_t>(n));
    if (output->size() > 2 * kKeptOutput) output->erase(0, output->size() - kKeptOutput);
  }
}

}  // namespace

ProcessResult RunProgram(const std::vector<std::string>& command) {
  ProcessResult result;
  pid_t pid = 0;
  const int fd = Start(command, &pid);
  Drain(fd, pid, &result.output);
  ::close(fd);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace lem
