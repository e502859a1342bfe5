// SPDX-License-Identifier: EUPL-1.2
// A run that is stopped, or killed at any point, and resumed ends with the same bytes as one that
// was not. Children are this program again, so that SIGKILL is the real one.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <thread>

#include "backend/backend.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "base/stop.h"
#include "pipelines/train/state.h"
#include "pipelines/train/train.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_model.h"

namespace lem {
namespace {
namespace fs = std::filesystem;

std::string Row(const char* question, const char* answer) {
  return R"({"messages":[{"role":"user","content":")" + std::string(question) +
         R"("},{"role":"assistant","content":")" + answer + "\"}]}\n";
}

// A folder with model/, data/ and run options; "out" is where the run is kept.
void MakeWorld(const fs::path& world) {
  testing::MakeTinyModel("tiny_gemma3", world / "model");
  fs::create_directories(world / "data");
  std::string train, valid;
  const char* words[] = {"a stone", "the sea", "my dog", "one cup, two cups", "why not", "rain"};
  for (int i = 0; i < 23; ++i) train += Row(words[i % 6], words[(i * 5 + 1) % 6]);
  for (int i = 0; i < 6; ++i) valid += Row(words[i], words[(i + 2) % 6]);
  WriteFileAtomically(world / "data" / "train.jsonl", train);
  WriteFileAtomically(world / "data" / "valid.jsonl", valid);
}

Json BaseOptions() {
  return Json::Parse(
      R"({"model":"model","data":"data","train":true,"adapter_path":"out","iters":12,
          "batch_size":2,"num_layers":2,"learning_rate":0.01,"save_every":4,"steps_per_eval":3,
          "steps_per_report":5,"val_batches":2,"dtype":"float32","log":"log.jsonl",
          "lora_parameters":{"rank":2,"scale":4.0,"dropout":0.1}})",
      "test");
}

// Kills this process at a chosen moment, or asks it to stop as Ctrl-C does.
struct Killer : TrainObserver {
  std::string moment;  // step, validation, save; stop, stop-in-validation
  int64_t iteration = 0;
  void At(const char* now, int64_t i) const {
    if (moment == now && i == iteration) ::kill(::getpid(), SIGKILL);
  }
  void OnStep(const StepEvent& e) override {
    At("step", e.iteration);
    if (moment == "stop" && e.iteration == iteration) RequestStop();
    last_step = e.iteration;
  }
  void OnEvaluationProgress(int64_t, int64_t) override {
    if (moment == "stop-in-validation" && last_step == iteration) RequestStop();
  }
  int64_t last_step = 0;
  void OnValidation(const ValidationEvent& e) override { At("validation", e.iteration); }
  void OnSave(const SaveEvent& e) override { At("save", e.iteration); }
};

// Starts or continues the run of `options` in the current folder.
void RunHere(const Json& options, TrainObserver& observer) {
  TrainOptions o;
  if (fs::exists("out/state.safetensors")) o = LoadRunOptions("out");
  ApplyYaml(options, "test", &o);
  o.keep_frozen = std::getenv("LEM_TRAIN_KEEP_NOTHING") == nullptr;
  Train(o, CpuBackend(), observer);
}

// The child's side; skipped unless a parent asks for it.
TEST(TrainChild, Runs) {
  const char* world = std::getenv("LEM_TRAIN_CHILD");
  if (!world) GTEST_SKIP() << "only as a child of the tests below";
  fs::current_path(world);
  Killer killer;
  if (const char* moment = std::getenv("LEM_TRAIN_KILL")) {
    const std::string text = moment;
    killer.moment = text.substr(0, text.find(' '));
    killer.iteration = std::stoll(text.substr(text.find(' ')));
  }
  RunHere(Json::ParseFile("options.json"), killer);
}

pid_t StartChild(const fs::path& world, const std::string& kill_moment) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setenv("LEM_TRAIN_CHILD", world.c_str(), 1);
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  if (!kill_moment.empty()) ::setenv("LEM_TRAIN_KILL", kill_moment.c_str(), 1);
  if (!std::freopen("/dev/null", "w", stdout)) ::_exit(3);
  ::execl("/proc/self/exe", "resume_test", "--gtest_filter=TrainChild.Runs", nullptr);
  ::_exit(3);
}

// True when the child ended by itself, and well.
bool Finish(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Every file of the run but the log, by name.
std::map<std::string, std::string> Files(const fs::path& world) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(world / "out")) {
    const std::string name = fs::relative(entry.path(), world / "out").string();
    if (!entry.is_regular_file() || entry.path().filename().string().starts_with(".")) continue;
    files[name] = ReadTextFile(entry.path());
  }
  return files;
}

// The log's rows without what a clock or the machine says.
std::vector<std::string> LogRows(const fs::path& world) {
  std::vector<std::string> rows;
  for (JsonLine& line : ReadJsonLines((world / "log.jsonl").string())) {
    for (const char* key : {"tokens_per_second", "peak_memory_bytes"}) {
      if (line.value.Has(key)) line.value.Set(key, 0);
    }
    rows.push_back(line.value.Dump());
  }
  return rows;
}

class Resume : public ::testing::Test {
 protected:
  // A world where the run was never interrupted.
  void RunWhole(const Json& options) {
    ASSERT_TRUE(Finish(StartChild(NewWorld("whole", options), "")));
  }

  fs::path NewWorld(const std::string& name, const Json& options) {
    const fs::path world = folder_ / name;
    MakeWorld(world);
    WriteFileAtomically(world / "options.json", options.Dump());
    return world;
  }

  void ExpectSameAsWhole(const fs::path& world) {
    const auto wanted = Files(folder_ / "whole"), found = Files(world);
    for (const auto& [name, bytes] : wanted) {
      ASSERT_TRUE(found.contains(name)) << name;
      EXPECT_TRUE(found.at(name) == bytes) << name << " differs";
    }
    EXPECT_EQ(found.size(), wanted.size());
    EXPECT_EQ(LogRows(world), LogRows(folder_ / "whole"));
  }

  void KillAndResume(const std::string& moment, const Json& options) {
    const fs::path world = NewWorld("killed at " + moment, options);
    EXPECT_FALSE(Finish(StartChild(world, moment))) << moment;
    ASSERT_TRUE(Finish(StartChild(world, ""))) << moment;
    SCOPED_TRACE(moment);
    ExpectSameAsWhole(world);
  }

  testing::ScratchFolder folder_;
};

TEST_F(Resume, KilledAnywhereEndsWithTheSameBytes) {
  Json options = BaseOptions();
  options.Set("save_best", true);
  RunWhole(options);
  const auto files = Files(folder_ / "whole");
  for (const char* name :
       {"adapters.safetensors", "0000004_adapters.safetensors", "0000012_adapters.safetensors",
        "adapter_config.json", "best/adapters.safetensors", "state.safetensors"}) {
    EXPECT_TRUE(files.contains(name)) << name;
  }
  for (const char* moment : {"step 1", "step 4", "save 4", "step 6", "validation 6", "validation 9",
                             "step 11", "save 12"}) {
    KillAndResume(moment, options);
  }
}

TEST_F(Resume, StoppedRunsToo) {
  Json options = BaseOptions();
  options.Set("save_best", true);
  RunWhole(options);
  KillAndResume("stop 5", options);
  KillAndResume("stop-in-validation 6", options);
  options.Set("compat", "mlx-lm");
  fs::remove_all(folder_ / "whole");
  RunWhole(options);
  fs::remove_all(folder_ / "killed at stop-in-validation 6");
  KillAndResume("stop-in-validation 5", options);  // before step 6
}

TEST_F(Resume, InsideAnAccumulationWindowToo) {
  Json options = BaseOptions();
  options.Set("grad_accumulation_steps", 3);  // saved every four: windows are open then
  options.Set("optimizer", "adamw");
  RunWhole(options);
  KillAndResume("step 6", options);
  KillAndResume("validation 9", options);
}

// What the frozen blocks gave is not part of a run's state: it is computed again.
TEST_F(Resume, WithoutWhatTheFrozenBlocksGave) {
  Json options = BaseOptions();
  options.Set("num_layers", 1);
  options.Set("iters", 28);  // beyond two passes of twelve batches
  options.Set("save_every", 10);
  ::setenv("LEM_TRAIN_KEEP_NOTHING", "1", 1);
  RunWhole(options);
  ::unsetenv("LEM_TRAIN_KEEP_NOTHING");
  KillAndResume("step 17", options);
  KillAndResume("validation 24", options);
}

TEST_F(Resume, InMlxsModeWithItsDraws) {
  Json options = BaseOptions();
  options.Set("compat", "mlx-lm");
  options.Set("val_batches", 1);  // each validation draws a permutation
  options.Set("iters", 16);       // beyond one pass of eleven chunks
  RunWhole(options);
  KillAndResume("validation 6", options);
  KillAndResume("step 14", options);
}

TEST_F(Resume, EveryOptimizerAndKind) {
  for (const char* optimizer : {"sgd", "adafactor", "muon"}) {
    fs::remove_all(folder_ / "whole");
    fs::remove_all(folder_ / "killed at step 7");
    Json options = BaseOptions();
    options.Set("optimizer", optimizer);
    options.Set("optimizer_config", Json::Parse(R"({"sgd":{"momentum":0.9}})", "test"));
    options.Set("fine_tune_type", std::string(optimizer) == "muon" ? "full" : "dora");
    RunWhole(options);
    KillAndResume("step 7", options);
  }
}

// Killed by the clock, again and again, wherever it happens to be.
TEST_F(Resume, KilledByTheClockManyTimes) {
  Json options = BaseOptions();
  options.Set("save_every", 1);
  options.Set("iters", 20);
  RunWhole(options);
  const fs::path world = NewWorld("clock", options);
  bool done = false;
  int kills = 0;
  for (int attempt = 0; attempt < 400 && !done; ++attempt) {
    const pid_t child = StartChild(world, "");
    // Longer and longer, so that it ends however slow the machine is.
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + 10 * attempt));
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) {
      done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      ASSERT_TRUE(done);
    } else {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      kills += WIFSIGNALED(status);
      done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
  }
  ASSERT_TRUE(done);
  EXPECT_GT(kills, 0);
  ExpectSameAsWhole(world);
}

TEST_F(Resume, OtherOptionsOrDataAreRefused) {
  RunWhole(BaseOptions());
  fs::current_path(folder_ / "whole");
  Json changed = BaseOptions();
  changed.Set("learning_rate", 0.5);
  TrainObserver quiet;
  EXPECT_NE(testing::ErrorText([&] { RunHere(changed, quiet); }).find("learning_rate was 0.01"),
            std::string::npos);
  WriteFileAtomically("data/train.jsonl", Row("other", "data") + Row("other", "data"));
  EXPECT_NE(testing::ErrorText([&] { RunHere(BaseOptions(), quiet); }).find("training data"),
            std::string::npos);
  fs::current_path("/");
}

}  // namespace
}  // namespace lem
