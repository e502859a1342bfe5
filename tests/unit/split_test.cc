// SPDX-License-Identifier: EUPL-1.2
// A split loses no row, changes none, repeats by its seed, and tears no near-duplicates apart.
#include "pipelines/data/split.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <sstream>

#include "base/atomic_file.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

// Rows 0 .. count - 1; each of the last `twins` repeats an earlier row's answer with a word more.
std::string Rows(int count, int twins) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    const int source = i >= count - twins ? i - (count - twins) : i;
    std::string answer;
    for (int k = 0; k < 30; ++k) answer += "w" + std::to_string(source * 100 + k) + " ";
    text += "{\"prompt\": \"q" + std::to_string(i) + "\",  \"completion\": \"" + answer +
            (source == i ? "" : "more") + "\"}\n";
  }
  return text;
}

std::vector<std::string> Lines(const std::filesystem::path& path) {
  std::istringstream stream(ReadTextFile(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

SplitOptions Options(const testing::ScratchFolder& scratch, const std::string& text) {
  SplitOptions options;
  options.file = scratch.Write("all.jsonl", text);
  options.to = scratch / "out";
  return options;
}

TEST(Split, KeepsEveryRowAsItStandsAndInOrder) {
  const testing::ScratchFolder scratch;
  SplitOptions options = Options(scratch, Rows(50, 0));
  options.valid = 7;
  const SplitResult result = Split(options);
  EXPECT_EQ(result.valid_rows, 7);
  const auto all = Lines(options.file), train = Lines(result.train), valid = Lines(result.valid);
  ASSERT_EQ(train.size(), 43);
  size_t t = 0, v = 0;
  for (const std::string& line : all) {
    if (t < train.size() && train[t] == line)
      ++t;
    else if (v < valid.size() && valid[v] == line)
      ++v;
    else
      ADD_FAILURE() << line;
  }
}

TEST(Split, RepeatsByItsSeed) {
  const testing::ScratchFolder scratch;
  SplitOptions options = Options(scratch, Rows(50, 0));
  options.overwrite = true;
  const auto valid_by_seed = [&](uint64_t seed) {
    options.seed = seed;
    return ReadTextFile(Split(options).valid);
  };
  const std::string first = valid_by_seed(1);
  EXPECT_NE(first, valid_by_seed(2));
  EXPECT_EQ(first, valid_by_seed(1));
}

TEST(Split, KeepsNearDuplicatesOnOneSide) {
  const testing::ScratchFolder scratch;
  SplitOptions options = Options(scratch, Rows(40, 20));
  options.overwrite = true;
  for (options.seed = 0; options.seed < 10; ++options.seed) {
    const SplitResult result = Split(options);
    EXPECT_EQ(result.groups, 20);
    EXPECT_EQ(result.valid_rows, 4);
    const std::string valid = ReadTextFile(result.valid);
    for (int i = 0; i < 20; ++i) {
      const auto has = [&](int row) {
        return valid.find("\"q" + std::to_string(row) + "\"") != std::string::npos;
      };
      EXPECT_EQ(has(i), has(i + 20)) << "seed " << options.seed << " row " << i;
    }
  }
}

RC_GTEST_PROP(Split, TheValidationSideNeverExceedsWhatWasWanted, (uint64_t seed)) {
  std::vector<size_t> groups;
  for (size_t i = 0; i < 60; ++i) groups.push_back((i * i + seed) % (3 + seed % 20));
  const auto wanted = static_cast<int64_t>(1 + seed % 59);
  const std::vector<bool> valid = ChooseValid(groups, wanted, seed);
  RC_ASSERT(std::ranges::count(valid, true) <= wanted);
  for (size_t i = 0; i < groups.size(); ++i) {
    for (size_t j = 0; j < i; ++j) RC_ASSERT(groups[i] != groups[j] || valid[i] == valid[j]);
  }
}

TEST(Split, RefusesWhatItCannotDo) {
  const testing::ScratchFolder scratch;
  SplitOptions options = Options(scratch, Rows(10, 0));
  options.valid = 10;
  EXPECT_NE(
      testing::ErrorText([&] { Split(options); }).find("expected a validation side of 1 to 9"),
      std::string::npos);
  options.valid = 2;
  Split(options);
  EXPECT_NE(testing::ErrorText([&] { Split(options); }).find("give --overwrite"),
            std::string::npos);
  options.file = (scratch / "out" / "train.jsonl").string();
  options.overwrite = true;
  EXPECT_NE(testing::ErrorText([&] { Split(options); }).find("this is the file to be split"),
            std::string::npos);
  options.file = scratch.Write("bad.jsonl", Rows(3, 0) + "{\"x\":1}\n");
  EXPECT_NE(testing::ErrorText([&] { Split(options); }).find("bad.jsonl:4: expected"),
            std::string::npos);
}

}  // namespace
}  // namespace lem
