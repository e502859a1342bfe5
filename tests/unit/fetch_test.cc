// SPDX-License-Identifier: EUPL-1.2
// Fetching: only files of the right hash arrive, broken downloads go on, and nothing that is there
// is replaced.
#include "pipelines/data/fetch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "tests/support/fault_server.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/shared_data.h"
#include "tests/support/silent_progress.h"

namespace lem {
namespace {

using testing::FaultServer;
using testing::ServerReply;
using testing::ServerRequest;

const std::string kText = std::string(5000, 'x') + "\n";

DataFile File(std::vector<std::string> urls) {
  return {"tiny",           "tiny/test.jsonl",
          Sha256Hex(kText), static_cast<int64_t>(kText.size()),
          std::move(urls),  "own"};
}

FetchedFile Fetch(const FetchOptions& options) {
  testing::SilentProgress progress;
  return FetchData(options, progress).at(0);
}

TEST(Fetch, BringsAFileAndKnowsItAfterwards) {
  const FaultServer server(
      [](int, const ServerRequest&) -> ServerReply { return {.body = kText}; });
  const testing::ScratchFolder scratch;
  const FetchOptions options = {{File({server.url() + "/a"})}, "", scratch / "data"};
  EXPECT_EQ(Fetch(options).source, server.url() + "/a");
  EXPECT_EQ(StateOf(options.files[0], options.to), DataState::kVerified);
  EXPECT_EQ(Fetch(options).source, "already there");
  EXPECT_EQ(server.requests().size(), 1);
}

TEST(Fetch, GoesOnWhereItBrokeOff) {
  const FaultServer server([](int number, const ServerRequest& request) -> ServerReply {
    if (number == 0) return {.body = kText, .way = ServerReply::Way::kHalf};
    const size_t range = request.head.find("Range: bytes=");
    if (range == std::string::npos) return {.body = kText};
    const size_t from = std::stoul(request.head.substr(range + 13));
    return {.status = 206,
            .body = kText.substr(from),
            .headers = "Content-Range: bytes " + std::to_string(from) + "-5000/5001\r\n"};
  });
  const testing::ScratchFolder scratch;
  const FetchOptions options = {{File({server.url() + "/a"})}, "", scratch / "data"};
  EXPECT_NE(Fetch(options).problem.find("run again to continue"), std::string::npos);
  EXPECT_EQ(StateOf(options.files[0], options.to), DataState::kAbsent);
  EXPECT_EQ(Fetch(options).problem, "");
  EXPECT_EQ(StateOf(options.files[0], options.to), DataState::kVerified);
  EXPECT_NE(server.requests()[1].head.find("Range: bytes=2500-"), std::string::npos);
}

TEST(Fetch, AFileOfAnotherHashDoesNotArrive) {
  const FaultServer server(
      [](int, const ServerRequest&) -> ServerReply { return {.body = "other"}; });
  const testing::ScratchFolder scratch;
  FetchOptions options = {{File({server.url() + "/a"})}, "", scratch / "data"};
  EXPECT_NE(Fetch(options).problem.find("expected SHA-256"), std::string::npos);
  options.from = scratch / "from";
  std::filesystem::create_directories(options.from / "tiny");
  WriteFileAtomically(options.from / "tiny/test.jsonl", "other");
  EXPECT_NE(Fetch(options).problem.find("expected SHA-256"), std::string::npos);
  EXPECT_EQ(StateOf(options.files[0], options.to), DataState::kAbsent);
}

TEST(Fetch, TheNextAddressIsTried) {
  const FaultServer server([](int number, const ServerRequest&) -> ServerReply {
    if (number == 0) return {.status = 404, .body = "gone"};
    return {.body = kText};
  });
  const testing::ScratchFolder scratch;
  EXPECT_EQ(Fetch({{File({server.url() + "/a", server.url() + "/b"})}, "", scratch / "d"}).source,
            server.url() + "/b");
}

TEST(Fetch, WhatIsThereUnderTheNameIsKept) {
  const testing::ScratchFolder scratch;
  const FetchOptions options = {{File({"http://127.0.0.1:1/a"})}, "", scratch / "data"};
  std::filesystem::create_directories(options.to / "tiny");
  WriteFileAtomically(options.to / "tiny/test.jsonl", "mine");
  EXPECT_NE(Fetch(options).problem.find("move it away"), std::string::npos);
  EXPECT_EQ(ReadTextFile(options.to / "tiny/test.jsonl"), "mine");
}

TEST(Fetch, NamesAreSetsFilesOrAll) {
  const auto count = [](const std::vector<std::string>& names) {
    return FindDataFiles(DataCatalogue(), names).size();
  };
  EXPECT_EQ(count({"gsm8k"}), 2);
  EXPECT_EQ(count({"truthfulqa/v1/mc_task.json"}), 1);
  EXPECT_EQ(count({"all", "gsm8k"}), DataCatalogue().size());
  EXPECT_THROW(count({"gsm"}), UsageError);
}

TEST(Fetch, CatalogueIsWellFormed) {
  std::set<std::string> paths;
  for (const DataFile& file : DataCatalogue()) {
    EXPECT_TRUE(paths.insert(file.path).second) << file.path;
    EXPECT_EQ(file.sha256.size(), 64) << file.path;
    EXPECT_TRUE(file.path.starts_with(file.set + "/")) << file.path;
    for (const std::string& url : file.urls) EXPECT_TRUE(url.starts_with("https://")) << url;
  }
}

TEST(Fetch, CopiesTheRealFilesAndVerifiesThem) {
  const auto datasets = testing::FindSharedData("datasets");
  if (datasets.empty()) GTEST_SKIP() << "set LEM_TEST_DATA to the folder that holds datasets/";
  const testing::ScratchFolder scratch;
  testing::SilentProgress progress;
  FetchOptions options = {FindDataFiles(DataCatalogue(), {"all"}), datasets, scratch / "data"};
  for (const FetchedFile& file : FetchData(options, progress)) EXPECT_EQ(file.problem, "");
  for (const DataFile& file : options.files) {
    EXPECT_EQ(StateOf(file, options.to), DataState::kVerified) << file.path;
    EXPECT_EQ(static_cast<int64_t>(std::filesystem::file_size(options.to / file.path)), file.bytes)
        << file.path;
  }
}

}  // namespace
}  // namespace lem
