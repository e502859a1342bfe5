// SPDX-License-Identifier: EUPL-1.2
// Tasks by name, suites, subsets, and the folders in which all of them lie.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "base/version.h"
#include "formats/near_names.h"
#include "pipelines/loaded_model.h"
#include "pipelines/task.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

struct Suite {
  const char* name;
  std::vector<SuiteEntry> tasks;
};

const std::vector<Suite>& Suites() {
  static const std::vector<Suite> suites = {
      // Ships with the program: no download, minutes on two cores.
      {"small",
       {{"arithmetic"},
        {"misconceptions"},
        {"safety"},
        {"safety-twins"},
        {"kindness"},
        {"ethics"}}},
      {"standard",
       {{"gsm8k"},
        {"truthfulqa-mc"},
        {"truthfulqa-gen"},
        {"do-not-answer"},
        {"toxigen"},
        {"toxigen-continue"},
        {"safety-twins"},
        {"ethics"}}},
      // The 50 questions each of the original project, asked as it asked them.
      {"upstream",
       {{"upstream-gsm8k"},
        {"upstream-truthfulqa"},
        {"upstream-do-not-answer"},
        {"upstream-toxigen"}}},
  };
  return suites;
}

bool EndsWith(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool HoldsOurFiles(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_directory(folder / "benchmarks" / "tasks", ignored);
}

fs::path ProgramPath() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored);
}

}  // namespace

std::vector<std::string> TaskNames() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(ProgramFolder() / "benchmarks" / "tasks")) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Task FindTask(const std::string& name) {
  if (EndsWith(name, ".yaml") || EndsWith(name, ".yml") || EndsWith(name, ".json")) {
    return ReadTaskFile(name);
  }
  const std::vector<std::string> names = TaskNames();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    FailUsage("--task: there is no task ", name,
              NearNames(name, std::vector<std::string_view>(names.begin(), names.end())));
  }
  return ReadTaskFile(ProgramFolder() / "benchmarks" / "tasks" / (name + ".yaml"));
}

std::vector<SuiteEntry> SuiteByName(const std::string& name) {
  for (const Suite& suite : Suites()) {
    if (name == suite.name) return suite.tasks;
  }
  FailUsage("--suite: expected small, standard or upstream, found ", name);
}

ItemSelection FirstItems(std::vector<TaskItem> items, int64_t n) {
  ItemSelection selection;
  if (n > 0 && n < int64_t(items.size())) {
    items.erase(items.begin() + n, items.end());
    selection.subset = "first " + std::to_string(n);
  }
  selection.items = std::move(items);
  return selection;
}

ItemSelection SampleItems(std::vector<TaskItem> items, int64_t n, uint64_t seed) {
  const size_t size = items.size();
  if (n <= 0 || n >= int64_t(size)) return FirstItems(std::move(items), 0);
  std::vector<size_t> order(size);
  std::iota(order.begin(), order.end(), size_t{0});
  // A stream of its own, so that sampling items never shares numbers with sampling tokens.
  CounterRandom random(seed, 0x6974656d73);
  for (size_t i = 0; i < size_t(n); ++i) {
    std::swap(order[i], order[i + random.NextBelow(size - i)]);
  }
  order.resize(static_cast<size_t>(n));
  std::sort(order.begin(), order.end());
  ItemSelection selection;
  for (const size_t i : order) selection.items.push_back(std::move(items[i]));
  selection.subset = "sample of " + std::to_string(n) + ", seed " + std::to_string(seed);
  return selection;
}

fs::path DataFolder() {
  if (const char* data = std::getenv("LEM_DATA"); data && *data) return data;
  return StoreFolder() / "data";
}

fs::path ProgramFolder() {
  if (const char* share = std::getenv("LEM_SHARE"); share && *share) {
    if (!HoldsOurFiles(share)) {
      Fail("LEM_SHARE=", share, ": expected a folder that holds benchmarks/tasks, found none");
    }
    return share;
  }
  const fs::path program = ProgramPath();
  fs::path installed = program.parent_path().parent_path() / "share" / "lem";
  if (HoldsOurFiles(installed)) return installed;
  for (fs::path folder = program.parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (HoldsOurFiles(folder)) return folder;
  }
  if (HoldsOurFiles(kSourceFolder)) return kSourceFolder;
  Fail(program.string(),
       ": the files that ship with lem (benchmarks/, seeds/) are not near it; set "
       "LEM_SHARE to the folder that holds them");
}

}  // namespace lem
