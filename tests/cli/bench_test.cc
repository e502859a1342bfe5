// SPDX-License-Identifier: EUPL-1.2
// The program itself: killed at random points and run again, interrupted, and started twice.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/random.h"
#include "pipelines/run_folder.h"
#include "tests/support/silent_progress.h"
#include "tests/support/tiny_bench.h"

namespace lem {
namespace {

using testing::SilentProgress;
using testing::TinyBench;

// largest: no file may grow beyond so many bytes; 0: no such limit.
pid_t Start(const std::vector<std::string>& arguments, const std::filesystem::path& log,
            rlim_t largest = 0) {
  std::vector<std::string> words = {LEM_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(fd, 1);
    ::dup2(fd, 2);
    const rlimit limit = {largest, largest};
    ::signal(SIGXFSZ, SIG_IGN);  // so that writing fails instead
    if (largest > 0) ::setrlimit(RLIMIT_FSIZE, &limit);
    ::execv(LEM_PROGRAM, argv.data());
    ::_exit(127);
  }
  return pid;
}

// The exit code, or 128 + n when signal n ended it.
int Wait(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int64_t LinesOf(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return 0;
  const std::string text = ReadTextFile(path);
  return std::count(text.begin(), text.end(), '\n');
}

constexpr int kItems = 8, kRepeats = 3, kAnswers = kItems * kRepeats + kItems;

class BenchProgram : public ::testing::Test {
 protected:
  BenchProgram() : bench_(kItems) {
    // The rubric with the fewest questions: each of them is long for one core.
    std::string task = ReadTextFile(bench_.generate_task());
    const auto replace = [&](const std::string& from, const std::string& to) {
      task.replace(task.find(from), from.size(), to);
    };
    replace("do-not-answer", "over-refusal");
    replace("do_not_answer.harmful, do_not_answer.safety", "safety.over_refusal");
    bench_.folder().Write("speak.yaml", task);
  }

  std::vector<std::string> BenchCommand(const std::string& out) const {
    return {"bench",
            "--model",
            bench_.model().string(),
            "--name",
            "tiny",
            "--task",
            bench_.generate_task() + "," + bench_.choices_task(),
            "--out",
            out,
            "--dtype",
            "float32",
            "--temp",
            "1",
            "--repeat",
            "3",
            "--threads",
            "1",
            "--batch-size",
            "4",
            "--json"};
  }
  std::vector<std::string> JudgeCommand(const std::string& out) const {
    return {"score",     out, "--judge", "local:" + bench_.model().string(), "--dtype", "float32",
            "--threads", "1", "--json"};
  }
  std::string Folder(const char* name) const { return (bench_.folder() / name).string(); }
  std::filesystem::path Log() const { return bench_.folder() / "log"; }
  std::string LogText() const { return ReadTextFile(Log()); }

  // Kills the command at random moments until it has been killed `kills` times, then lets it end.
  void KillAndResume(const std::vector<std::string>& command, const std::filesystem::path& growing,
                     int64_t whole, int kills, CounterRandom& random) {
    for (int killed = 0; killed < kills;) {
      const int64_t lines = LinesOf(growing);
      const pid_t pid = Start(command, Log());
      // Wait for a random number of further lines, so that kills fall into the work itself.
      const auto wanted = lines + 1 +
                          static_cast<int64_t>(random.NextBelow(
                              static_cast<uint64_t>(std::max<int64_t>(2, whole / kills))));
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (LinesOf(growing) < wanted && std::chrono::steady_clock::now() < end) {
        if (::waitpid(pid, nullptr, WNOHANG) == pid) return;  // it ended by itself
        std::this_thread::sleep_for(std::chrono::microseconds(200 + random.NextBelow(1500)));
      }
      ::kill(pid, SIGKILL);
      Wait(pid);
      ++killed;
    }
    ASSERT_EQ(Wait(Start(command, Log())), 0) << LogText();
  }

  TinyBench bench_;
};

TEST_F(BenchProgram, KilledAnywhereAndResumedTheScoresAreTheSameBytes) {
  const std::string whole = Folder("whole"), killed = Folder("killed");
  ASSERT_EQ(Wait(Start(BenchCommand(whole), Log())), 0) << LogText();
  ASSERT_EQ(Wait(Start(JudgeCommand(whole), Log())), 0) << LogText();
  CounterRandom random(7, 0);
  const std::filesystem::path samples = killed + "/samples.jsonl";
  KillAndResume(BenchCommand(killed), samples, kAnswers, 10, random);
  const std::filesystem::path judgements = killed + "/judgements.jsonl";
  KillAndResume(JudgeCommand(killed), judgements, LinesOf(whole + "/judgements.jsonl"), 10, random);
  ASSERT_EQ(Wait(Start(JudgeCommand(killed), Log())), 0) << LogText();
  EXPECT_EQ(ReadTextFile(killed + "/scores.jsonl"), ReadTextFile(whole + "/scores.jsonl"));
  SilentProgress progress;
  const RunFolder run(killed, RunFolder::Access::kRead, progress);
  EXPECT_EQ(run.samples().size(), size_t{kAnswers});
}

TEST_F(BenchProgram, ATornLastLineIsDroppedAndAnsweredAgain) {
  const std::string out = Folder("run");
  ASSERT_EQ(Wait(Start(BenchCommand(out), Log())), 0) << LogText();
  ASSERT_EQ(Wait(Start({"score", out, "--json"}, Log())), 0) << LogText();
  const std::string scores = ReadTextFile(out + "/scores.jsonl");
  const std::string text = ReadTextFile(out + "/samples.jsonl");
  std::ofstream(out + "/samples.jsonl", std::ios::binary) << text.substr(0, text.size() - 40);
  ASSERT_EQ(Wait(Start(BenchCommand(out), Log())), 0) << LogText();
  EXPECT_NE(LogText().find("warning"), std::string::npos) << LogText();
  ASSERT_EQ(Wait(Start({"score", out, "--json"}, Log())), 0) << LogText();
  EXPECT_EQ(ReadTextFile(out + "/scores.jsonl"), scores);
}

// A small file system of its own, when this user may mount one.
class SmallDisk {
 public:
  explicit SmallDisk(std::filesystem::path path) : path_(std::move(path)) {
    std::filesystem::create_directories(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  const std::filesystem::path& path() const { return path_; }
  // Leaves room for so many bytes and no more; Empty() gives it back.
  void FillUpTo(size_t room) const {
    const size_t free = std::filesystem::space(path_).available;
    std::ofstream(path_ / "ballast") << std::string(free - room, 'x');
  }
  void Empty() const { std::filesystem::remove(path_ / "ballast"); }

 private:
  std::filesystem::path path_;
  bool mounted_ = false;
};

// One line, with what happened and what to do.
void ExpectSaid(const std::string& log, const std::string& file, const std::string& what) {
  const size_t at = log.find("lem ");
  ASSERT_NE(at, std::string::npos) << log;
  const std::string said = log.substr(at);
  EXPECT_NE(said.find(file), std::string::npos) << said;
  EXPECT_NE(said.find(what), std::string::npos) << said;
  EXPECT_NE(said.find("every earlier line is kept"), std::string::npos) << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST_F(BenchProgram, AFullDiskIsSaidAndNothingIsLost) {
  const SmallDisk disk(bench_.folder() / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "this user may not mount a file system";
  const std::string whole = Folder("whole"), out = (disk.path() / "run").string();
  ASSERT_EQ(Wait(Start(BenchCommand(whole), Log())), 0) << LogText();
  ASSERT_EQ(Wait(Start(JudgeCommand(whole), Log())), 0) << LogText();
  disk.FillUpTo(24 << 10);
  EXPECT_EQ(Wait(Start(BenchCommand(out), Log())), 1);
  ExpectSaid(LogText(), "samples.jsonl", "No space left on device");
  const int64_t kept = LinesOf(out + "/samples.jsonl");
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, kAnswers);
  EXPECT_EQ(Wait(Start(BenchCommand(out), Log())), 1) << "still full";
  EXPECT_EQ(LinesOf(out + "/samples.jsonl"), kept);
  disk.Empty();
  ASSERT_EQ(Wait(Start(BenchCommand(out), Log())), 0) << LogText();
  EXPECT_EQ(LinesOf(out + "/samples.jsonl"), kAnswers);  // none made twice
  disk.FillUpTo(24 << 10);
  EXPECT_EQ(Wait(Start(JudgeCommand(out), Log())), 1);
  ExpectSaid(LogText(), "judgements.jsonl", "No space left on device");
  disk.Empty();
  ASSERT_EQ(Wait(Start(JudgeCommand(out), Log())), 0) << LogText();
  EXPECT_EQ(ReadTextFile(out + "/scores.jsonl"), ReadTextFile(whole + "/scores.jsonl"));
}

TEST_F(BenchProgram, AFileThatMayNotGrowIsSaidAndNothingIsLost) {
  const std::string whole = Folder("whole"), out = Folder("run");
  ASSERT_EQ(Wait(Start(BenchCommand(whole), Log())), 0) << LogText();
  ASSERT_EQ(Wait(Start({"score", whole, "--json"}, Log())), 0) << LogText();
  const size_t all = ReadTextFile(whole + "/samples.jsonl").size();
  int64_t kept = 0;
  for (const size_t part : {3, 4, 5}) {  // of six parts of the file, somewhere within a line
    EXPECT_EQ(Wait(Start(BenchCommand(out), Log(), all * part / 6)), 1);
    ExpectSaid(LogText(), "samples.jsonl", "File too large");
    const std::string text = ReadTextFile(out + "/samples.jsonl");
    EXPECT_LE(text.size(), all * part / 6);
    EXPECT_TRUE(text.ends_with('\n')) << "a torn line was left";
    EXPECT_GT(LinesOf(out + "/samples.jsonl"), kept);
    kept = LinesOf(out + "/samples.jsonl");
  }
  ASSERT_EQ(Wait(Start(BenchCommand(out), Log())), 0) << LogText();
  EXPECT_EQ(LinesOf(out + "/samples.jsonl"), kAnswers);
  ASSERT_EQ(Wait(Start({"score", out, "--json"}, Log())), 0) << LogText();
  EXPECT_EQ(ReadTextFile(out + "/scores.jsonl"), ReadTextFile(whole + "/scores.jsonl"));
}

TEST_F(BenchProgram, TheSecondWriterIsRefused) {
  SilentProgress progress;
  const std::string out = Folder("run");
  const RunFolder held(out, RunFolder::Access::kCreate, progress);
  EXPECT_EQ(Wait(Start(BenchCommand(out), Log())), 1);
  EXPECT_NE(LogText().find(std::to_string(::getpid())), std::string::npos) << LogText();
}

TEST_F(BenchProgram, CtrlCKeepsWhatIsDoneAndEndsWith130) {
  const std::string out = Folder("run");
  const pid_t pid = Start(BenchCommand(out), Log());
  while (LinesOf(out + "/samples.jsonl") < kItems + 3) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_EQ(::waitpid(pid, nullptr, WNOHANG), 0) << "ended before it was interrupted";
  }
  ::kill(pid, SIGINT);
  const int code = Wait(pid);
  if (code == 0) GTEST_SKIP() << "the run was over before the signal arrived";
  EXPECT_EQ(code, 130) << LogText();
  EXPECT_NE(LogText().find("the same command goes on"), std::string::npos) << LogText();
  EXPECT_GE(LinesOf(out + "/samples.jsonl"), kItems + 3);
  ASSERT_EQ(Wait(Start(BenchCommand(out), Log())), 0) << LogText();
  EXPECT_EQ(LinesOf(out + "/samples.jsonl"), kAnswers);
}

TEST_F(BenchProgram, BadFlagsAreNamed) {
  EXPECT_EQ(Wait(Start({"bench", "--model", "x", "--task", "nope", "--out", Folder("r")}, Log())),
            2);
  EXPECT_NE(LogText().find("nope"), std::string::npos);
  EXPECT_EQ(Wait(Start({"bench", "--model", "x", "--suite", "tiny", "--out", Folder("r")}, Log())),
            2);
  EXPECT_EQ(Wait(Start(
                {"bench", "--model", "x", "--task", "ethics", "--limit", "0", "--out", Folder("r")},
                Log())),
            2);
  EXPECT_EQ(Wait(Start({"judge", "calibrate", "--judge", "nobody", "--on", "toxigen"}, Log())), 1);
  EXPECT_EQ(Wait(Start({"judge", "calibrate", "--judge", "local:x", "--on", "nothing"}, Log())), 2);
}

}  // namespace
}  // namespace lem
