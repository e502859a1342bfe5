// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/data/lint_sets.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "lek/minhash.h"

namespace lem {
namespace {

constexpr size_t kShown = 5;          // openings and pairs in the report
constexpr size_t kExhaustive = 2000;  // up to so many rows all pairs are compared: 2e6 merges
constexpr size_t kOpeningWords = 3;
constexpr int64_t kLeastRepeats = 4;
constexpr size_t kLeastForOutliers = 20;  // fewer lengths say nothing about what is usual

std::string At(const TrainingRow& conversation) {
  return conversation.file + ":" + std::to_string(conversation.line);
}

std::string Percent(double share) {
  return std::to_string(static_cast<int>(std::lround(100 * share))) + " %";
}

struct Side {
  std::string what, role;
  std::vector<std::string> texts;
  std::vector<Shingles> shingles;
};

Side MakeSide(const std::vector<TrainingRow>& conversations, std::string what,
              const std::string& role) {
  Side side{std::move(what), role, {}, {}};
  for (const TrainingRow& conversation : conversations) {
    side.texts.push_back(conversation.TextOf(role));
    side.shingles.push_back(WordShingles(side.texts.back()));
  }
  return side;
}

void AddRepeats(const std::vector<TrainingRow>& conversations, const Side& side, double near,
                LintReport* report) {
  for (const NearPair& pair : FindNearPairs(side.shingles, near)) {
    const TrainingRow& earlier = conversations[pair.a];
    const std::string& text = side.texts[pair.b];
    const bool exact = text == side.texts[pair.a];
    RuleHit hit{exact ? "duplicate" : "near-duplicate", Severity::kError, "", 0, text.size()};
    hit.sentence = "the same " + side.what + " as " + At(earlier);
    if (!exact) {
      hit.sentence = "its " + side.what + " shares " + Percent(pair.jaccard) +
                     " of its word triples with " + At(earlier);
    }
    LintFinding finding = MakeFinding(conversations[pair.b], -1, hit);
    finding.span = text.substr(0, 120);
    report->findings.push_back(std::move(finding));
  }
}

void AddNearest(const std::vector<TrainingRow>& conversations, const Side& side,
                LintReport* report) {
  if (conversations.size() > kExhaustive) return;
  std::vector<NearPair> pairs;
  const auto nearer = [](const NearPair& x, const NearPair& y) { return x.jaccard > y.jaccard; };
  for (size_t b = 1; b < side.shingles.size(); ++b) {
    for (size_t a = 0; a < b; ++a) {
      const double jaccard = Jaccard(side.shingles[a], side.shingles[b]);
      if (jaccard == 0 || (pairs.size() >= kShown && jaccard <= pairs.back().jaccard)) continue;
      pairs.push_back({a, b, jaccard});
      std::ranges::stable_sort(pairs, nearer);
      if (pairs.size() > kShown) pairs.pop_back();
    }
  }
  for (const NearPair& pair : pairs) {
    report->nearest.push_back(
        {At(conversations[pair.a]), At(conversations[pair.b]), pair.jaccard, side.what + "s"});
  }
}

std::string FirstWords(std::string_view text, size_t count) {
  const std::vector<Word> words = SplitWords(text.substr(0, 400));
  std::string first;
  for (size_t i = 0; i < std::min(count, words.size()); ++i) {
    first += (i > 0 ? " " : "") + words[i].text;
  }
  return first;
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

LintFinding MakeFinding(const TrainingRow& conversation, int turn, RuleHit hit) {
  LintFinding finding{conversation.file, conversation.id, conversation.line, turn, {}, {}};
  if (turn >= 0 && hit.end > hit.begin) {
    const std::string& text = conversation.turns[static_cast<size_t>(turn)].content;
    finding.span = text.substr(hit.begin, std::min<size_t>(hit.end - hit.begin, 120));
    std::ranges::replace(finding.span, '\n', ' ');
  }
  finding.hit = std::move(hit);
  return finding;
}

std::vector<AnswerAt> AllAnswers(const std::vector<TrainingRow>& conversations) {
  std::vector<AnswerAt> answers;
  for (const TrainingRow& conversation : conversations) {
    for (size_t i = 0; i < conversation.turns.size(); ++i) {
      if (conversation.turns[i].role == "assistant") {
        answers.push_back({&conversation, static_cast<int>(i)});
      }
    }
  }
  return answers;
}

std::vector<AnswerAt> LastAnswers(const std::vector<TrainingRow>& conversations) {
  std::vector<AnswerAt> answers;
  for (const TrainingRow& conversation : conversations) {
    if (conversation.turns.back().role != "assistant") continue;
    answers.push_back({&conversation, static_cast<int>(conversation.turns.size()) - 1});
  }
  return answers;
}

void FindRepeats(const std::vector<TrainingRow>& conversations, double near, LintReport* report) {
  for (const auto& [what, role] : {std::pair("prompt", "user"), std::pair("answer", "assistant")}) {
    const Side side = MakeSide(conversations, what, role);
    AddRepeats(conversations, side, near, report);
    AddNearest(conversations, side, report);
  }
  std::ranges::stable_sort(report->nearest, [](const NearestPair& x, const NearestPair& y) {
    return x.jaccard > y.jaccard;
  });
  if (report->nearest.size() > kShown) report->nearest.resize(kShown);
}

void FindRepeatedOpenings(const std::vector<AnswerAt>& answers, double share, LintReport* report) {
  std::map<std::string, std::vector<const AnswerAt*>> by_opening;
  for (const AnswerAt& answer : answers) {
    by_opening[FirstWords(answer.text(), kOpeningWords)].push_back(&answer);
  }
  report->distinct_openings = static_cast<int64_t>(by_opening.size());
  for (const auto& [words, where] : by_opening) {
    const auto count = static_cast<int64_t>(where.size());
    if (count > 1) report->openings.push_back({words, count});
    const double found = static_cast<double>(count) / static_cast<double>(answers.size());
    if (count < kLeastRepeats || found <= share) continue;
    RuleHit hit{"opening", Severity::kError, "", 0, std::min<size_t>(where[0]->text().size(), 40)};
    hit.sentence = std::to_string(count) + " answers (" + Percent(found) +
                   ") begin with the same words: \"" + words + "\"";
    report->findings.push_back(MakeFinding(*where[0]->conversation, where[0]->turn, hit));
  }
  std::ranges::stable_sort(report->openings, {}, [](const Opening& o) { return -o.count; });
  if (report->openings.size() > kShown) report->openings.resize(kShown);
}

// Lengths are skewed, so the scale is logarithmic; 1.4826 makes the median absolute deviation
// comparable to a standard deviation (Iglewicz and Hoaglin 1993).
void FindLengthOutliers(const std::vector<AnswerAt>& answers, double outlier, LintReport* report) {
  std::vector<double> lengths, logs;
  for (const AnswerAt& answer : answers) {
    lengths.push_back(static_cast<double>(CountWords(answer.text())));
    logs.push_back(std::log(std::max(1.0, lengths.back())));
  }
  if (lengths.empty()) return;
  report->least_words = static_cast<int64_t>(*std::ranges::min_element(lengths));
  report->most_words = static_cast<int64_t>(*std::ranges::max_element(lengths));
  report->median_words = static_cast<int64_t>(Median(lengths));
  if (lengths.size() < kLeastForOutliers) return;
  const double median = Median(logs);
  std::vector<double> deviations;
  for (const double x : logs) deviations.push_back(std::abs(x - median));
  const double scale = 1.4826 * Median(deviations);
  if (scale == 0) return;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (std::abs(logs[i] - median) <= outlier * scale) continue;
    RuleHit hit{"outlier", Severity::kWarning, "", 0,
                std::min<size_t>(answers[i].text().size(), 60)};
    hit.sentence = "an answer of " + std::to_string(static_cast<int>(lengths[i])) +
                   " words among answers of " + std::to_string(report->median_words) +
                   " in the middle";
    report->findings.push_back(MakeFinding(*answers[i].conversation, answers[i].turn, hit));
  }
}

}  // namespace lem
