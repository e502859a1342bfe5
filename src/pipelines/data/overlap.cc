// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/data/overlap.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "base/error.h"
#include "base/stop.h"
#include "lek/words.h"
#include "pipelines/task.h"

namespace lem {
namespace fs = std::filesystem;

namespace {

struct TrainText {
  TextAt source;
  std::vector<Word> words;
};

// A run of words that both texts have.
struct Run {
  size_t text, train_begin, begin, count;
};

class TrainIndex {
 public:
  TrainIndex(const std::string& path, size_t ngram) : ngram_(ngram) {
    for (TextAt& source : ReadTexts(path)) {
      std::vector<Word> words = SplitWords(source.text);
      if (texts_.empty() || texts_.back().source.at != source.at) ++rows_;
      texts_.push_back({std::move(source), std::move(words)});
      const std::vector<Word>& added = texts_.back().words;
      for (size_t i = 0; i + ngram_ <= added.size(); ++i) {
        places_.emplace(HashWords(added, i, ngram_), std::pair(texts_.size() - 1, i));
      }
      words_ += static_cast<int64_t>(added.size());
    }
  }

  // Longest runs of at least n words, each once.
  std::vector<Run> Find(const std::vector<Word>& words) const {
    std::vector<Run> runs;
    for (size_t i = 0; i + ngram_ <= words.size(); ++i) {
      const auto [first, last] = places_.equal_range(HashWords(words, i, ngram_));
      for (auto place = first; place != last; ++place) {
        const auto [text, begin] = place->second;
        if (Continues(words, i, text, begin)) continue;
        const size_t count = RunLength(words, i, texts_[text].words, begin);
        if (count >= ngram_) runs.push_back({text, begin, i, count});  // else: equal hashes only
      }
    }
    return runs;
  }

  const TrainText& text(size_t i) const { return texts_[i]; }
  int64_t words() const { return words_; }
  int64_t rows() const { return rows_; }

 private:
  // The run began a word earlier.
  bool Continues(const std::vector<Word>& words, size_t i, size_t text, size_t begin) const {
    return i > 0 && begin > 0 && words[i - 1].text == texts_[text].words[begin - 1].text;
  }

  static size_t RunLength(const std::vector<Word>& a, size_t i, const std::vector<Word>& b,
                          size_t j) {
    size_t count = 0;
    while (i + count < a.size() && j + count < b.size() && a[i + count].text == b[j + count].text) {
      ++count;
    }
    return count;
  }

  size_t ngram_;
  std::vector<TrainText> texts_;
  std::unordered_multimap<uint64_t, std::pair<size_t, size_t>> places_;  // text, word
  int64_t words_ = 0, rows_ = 0;
};

bool IsData(const fs::path& path) {
  const std::string extension = path.extension();
  return extension == ".jsonl" || extension == ".json" || extension == ".csv";
}

// Files below a folder in a fixed order.
void AddDataFiles(const fs::path& path, std::vector<std::string>* files) {
  if (!fs::exists(path)) Fail(path.string(), ": no such file or folder");
  if (!fs::is_directory(path)) {
    files->push_back(path);
    return;
  }
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file() && IsData(entry.path())) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  files->insert(files->end(), found.begin(), found.end());
}

OverlapSpan Describe(const TrainIndex& index, const Run& run, const std::string& against_at) {
  const TrainText& text = index.text(run.text);
  const size_t begin = text.words[run.train_begin].begin;
  const size_t end = text.words[run.train_begin + run.count - 1].end;
  return {text.source.at, against_at, text.source.text.substr(begin, end - begin),
          static_cast<int64_t>(run.count)};
}

bool SamePlace(const OverlapSpan& x, const OverlapSpan& y) {
  return x.train_at == y.train_at && x.against_at == y.against_at && x.text == y.text;
}

void CompareFile(const TrainIndex& index, const std::string& file, OverlapReport* report) {
  std::vector<OverlapSpan> spans;
  for (const TextAt& text : ReadTexts(file)) {
    const std::vector<Word> words = SplitWords(text.text);
    ++report->against_texts;
    report->against_words += static_cast<int64_t>(words.size());
    for (const Run& run : index.Find(words)) spans.push_back(Describe(index, run, text.at));
  }
  std::ranges::stable_sort(spans, [](const OverlapSpan& x, const OverlapSpan& y) {
    return x.words != y.words ? x.words > y.words : x.text < y.text;
  });
  for (OverlapSpan& span : spans) {
    const bool known = std::ranges::any_of(
        report->spans, [&](const OverlapSpan& other) { return SamePlace(span, other); });
    if (!known) report->spans.push_back(std::move(span));
  }
}

}  // namespace

std::vector<std::string> DefaultEvaluations() {
  const fs::path shipped = ProgramFolder();
  std::vector<std::string> folders = {shipped / "seeds"};
  for (const fs::directory_entry& entry : fs::directory_iterator(shipped / "benchmarks")) {
    // Recorded answers of trained models may well repeat what they were trained on.
    if (entry.is_directory() && entry.path().filename() != "results") {
      folders.push_back(entry.path());
    }
  }
  std::ranges::sort(folders);
  if (const fs::path data = DataFolder(); fs::is_directory(data)) folders.push_back(data);
  return folders;
}

OverlapReport FindOverlap(const OverlapOptions& options, Progress& progress) {
  if (options.ngram < 3 || options.ngram > 100) {
    FailUsage("--ngram: expected 3 to 100 words, found ", options.ngram);
  }
  OverlapReport report;
  for (const std::string& path : options.against.empty() ? DefaultEvaluations() : options.against) {
    AddDataFiles(path, &report.files);
  }
  if (report.files.empty()) {
    Fail(
        "--against: found no .jsonl, .json or .csv file to compare with; name one, or run `lem "
        "data fetch` first");
  }
  const TrainIndex index(options.train, static_cast<size_t>(options.ngram));
  report.train_rows = index.rows();
  report.train_words = index.words();
  progress.Begin("comparing", static_cast<int64_t>(report.files.size()), "files");
  for (size_t i = 0; i < report.files.size(); ++i) {
    if (StopRequested()) throw Interrupted("interrupted; nothing was written");
    CompareFile(index, report.files[i], &report);
    progress.Update(static_cast<int64_t>(i + 1));
  }
  progress.End();
  return report;
}

}  // namespace lem
