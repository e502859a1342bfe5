// SPDX-License-Identifier: EUPL-1.2
#include "formats/mapped_file.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

using testing::ErrorText;
using testing::ScratchFolder;

std::string Text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFile, ShowsTheBytes) {
  const ScratchFolder folder;
  const MappedFile file(folder.Write("file", "hello"));
  EXPECT_EQ(Text(file), "hello");
  EXPECT_EQ(file.path(), (folder / "file").string());
}

TEST(MappedFile, MovesItsMapping) {
  const ScratchFolder folder;
  MappedFile first(folder.Write("file", "hello"));
  MappedFile second = std::move(first);
  MappedFile third;
  third = std::move(second);
  EXPECT_EQ(Text(third), "hello");
}

TEST(MappedFile, AnEmptyFileHasNoBytes) {
  const ScratchFolder folder;
  EXPECT_TRUE(MappedFile(folder.Write("empty", "")).bytes().empty());
}

TEST(MappedFile, SaysWhatIsWrong) {
  const ScratchFolder folder;
  EXPECT_EQ(ErrorText([&] { MappedFile file(folder / "none"); }),
            (folder / "none").string() + ": cannot open this file (No such file or directory)");
  EXPECT_EQ(ErrorText([&] { MappedFile file(folder.path()); }),
            folder.path().string() + ": expected a regular file, found a folder");
  EXPECT_EQ(ErrorText([&] { MappedFile file("/dev/null"); }),
            "/dev/null: expected a regular file, found something else");
}

}  // namespace
}  // namespace lem
