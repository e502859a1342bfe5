// SPDX-License-Identifier: EUPL-1.2
// Everything a bench run needs, tiny: a random model that speaks letters, two task files, and their
// data in a folder that LEM_DATA names while the object lives.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/atomic_file.h"
#include "base/threads.h"
#include "formats/json.h"
#include "pipelines/bench/bench.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_model.h"

namespace lem::testing {

class TinyBench {
 public:
  explicit TinyBench(int items = 12) {
    SetThreads(1);  // for so small a model a second thread only waits
    MakeTinyModel("tiny_llama", model());
    // Room for a judge's prompt; the random weights do not mind.
    Json config = Json::ParseFile((model() / "config.json").string());
    config.Set("max_position_embeddings", Json(4096));
    std::ofstream(model() / "config.json") << config.Dump();
    WriteItems(items);
    WriteTasks();
    ::setenv("LEM_DATA", (folder_ / "data").c_str(), 1);
    ::setenv("LEM_HOME", (folder_ / "home").c_str(), 1);
  }
  ~TinyBench() {
    ::unsetenv("LEM_DATA");
    ::unsetenv("LEM_HOME");
  }

  const ScratchFolder& folder() const { return folder_; }
  std::filesystem::path model() const { return folder_ / "model"; }
  std::string generate_task() const { return (folder_ / "speak.yaml").string(); }
  std::string choices_task() const { return (folder_ / "choose.yaml").string(); }
  std::filesystem::path out() const { return folder_ / "run"; }

  BenchOptions Options() const {
    BenchOptions options;
    options.model.model = model().string();
    options.model.dtype = "float32";
    options.name = "tiny";
    options.tasks = {generate_task(), choices_task()};
    options.out = out().string();
    return options;
  }

  void WriteItems(int items) {
    std::filesystem::create_directories(folder_ / "data");
    std::ofstream rows(folder_ / "data" / "rows.jsonl");
    for (int i = 0; i < items; ++i) {
      Json row = Json::MakeObject();
      row.Set("id", Json("i" + std::to_string(i)));
      row.Set("question", Json("What is " + Letters(i) + "?"));
      row.Set("best", Json("It is " + Letters(i + 1)));
      row.Set("wrong", Json(Json::Array{Json("No"), Json("It is " + Letters(i + 7))}));
      row.Set("harm", Json("none"));
      rows << row.Dump() << "\n";
    }
  }

 private:
  static std::string Letters(int i) {
    return std::string(1, static_cast<char>('a' + i % 26)) +
           std::string(1, static_cast<char>('a' + i / 26 % 26));
  }

  void WriteTasks() const {
    folder_.Write("speak.yaml",
                  "name: speak\nversion: 1\nkind: generate\ndata: [{path: rows.jsonl}]\n"
                  "format: jsonl\nid: {field: id}\nprompt: \"{{question}}\"\n"
                  "reference: {harm: harm}\nrubric: do-not-answer\n"
                  "sampling: {temperature: 0, max_tokens: 24}\n"
                  "metrics: [do_not_answer.harmful, do_not_answer.safety, answer.words]\n"
                  "primary: answer.words\n");
    folder_.Write(
        "choose.yaml",
        "name: choose\nversion: 1\nkind: choices\ndata: [{path: rows.jsonl}]\n"
        "format: jsonl\nid: {field: id}\nprefix: \"Say a word.\\n\"\n"
        "sets:\n  - {name: mc1, prompt: \"{{question}}\", right: [best], wrong: [wrong]}\n"
        "metrics: [truthfulqa.mc1]\nprimary: truthfulqa.mc1\n");
  }

  ScratchFolder folder_;
};

}  // namespace lem::testing
