// SPDX-License-Identifier: EUPL-1.2
// A file appears whole or not at all.
#include "base/atomic_file.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

using testing::ErrorText;
using testing::ScratchFolder;

size_t FilesIn(const std::filesystem::path& folder) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) count += entry.exists();
  return count;
}

TEST(AtomicFile, AppearsAtCommit) {
  const ScratchFolder folder;
  const auto target = folder / "deep/er/file";
  AtomicFile file(target);
  file.Write("....two");
  EXPECT_EQ(file.size(), 7u);
  file.WriteAt(0, std::as_bytes(std::span("one ", 4)));
  EXPECT_EQ(file.size(), 7u);
  EXPECT_FALSE(std::filesystem::exists(target));
  file.Commit();
  EXPECT_EQ(ReadTextFile(target), "one two");
  EXPECT_EQ(FilesIn(target.parent_path()), 1u);
}

TEST(AtomicFile, LeavesNothingWhenAbandoned) {
  const ScratchFolder folder;
  folder.Write("file", "old");
  {
    AtomicFile file(folder / "file");
    file.Write("new");
  }
  EXPECT_EQ(ReadTextFile(folder / "file"), "old");
  EXPECT_EQ(FilesIn(folder.path()), 1u);
}

TEST(AtomicFile, ReplacesAtOnce) {
  const ScratchFolder folder;
  WriteFileAtomically(folder / "file", "old");
  WriteFileAtomically(folder / "file", "new");
  EXPECT_EQ(ReadTextFile(folder / "file"), "new");
}

TEST(AtomicFile, SaysWhereItCannotWrite) {
  const ScratchFolder folder;
  folder.Write("file", "");
  const std::string text = ErrorText([&] { WriteFileAtomically(folder / "file/below", "x"); });
  EXPECT_EQ(text.find((folder / "file").string() + ": cannot create this folder ("), 0u) << text;
}

TEST(ReadTextFile, SaysWhatIsWrong) {
  const ScratchFolder folder;
  const std::string path = folder.Write("file", "12345");
  EXPECT_EQ(ReadTextFile(path, 5), "12345");
  EXPECT_EQ(ErrorText([&] { ReadTextFile(path, 4); }),
            path + ": larger than the 4 bytes allowed for a file of this kind");
  EXPECT_EQ(ErrorText([&] { ReadTextFile(folder.path()); }),
            folder.path().string() + ": expected a file, found a folder");
  EXPECT_EQ(ErrorText([&] { ReadTextFile(folder / "none"); }),
            (folder / "none").string() + ": cannot open this file (No such file or directory)");
}

}  // namespace
}  // namespace lem
