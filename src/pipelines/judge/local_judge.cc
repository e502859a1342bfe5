// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/judge/local_judge.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/stop.h"
#include "model/engine.h"
#include "pipelines/continuation.h"
#include "pipelines/model_record.h"
#include "pipelines/wall_clock.h"

namespace lem {
namespace {

constexpr size_t kQuestionsTogether = 4;  // what a kill can lose

std::vector<double> Normalised(const std::vector<double>& log_probs) {
  const double top = *std::ranges::max_element(log_probs);
  std::vector<double> p;
  double sum = 0;
  for (const double l : log_probs) sum += p.emplace_back(std::exp(l - top));
  for (double& x : p) x /= sum;
  return p;
}

size_t Likeliest(const std::vector<double>& p) {
  return static_cast<size_t>(std::ranges::max_element(p) - p.begin());
}

Json GradeDetail(const Dimension& dimension, const LetterGrade& g) {
  Json probabilities = Json::MakeObject();
  for (size_t i = 0; i < dimension.grades.size(); ++i) {
    probabilities.Set(dimension.grades[i].label, Json(g.probabilities[i]));
  }
  Json out = Json::MakeObject();
  out.Set("probabilities", std::move(probabilities));
  out.Set("expectation", Json(g.expectation));
  out.Set("entropy", Json(g.entropy));
  out.Set("mass", Json(g.mass));
  out.Set("order_shift", Json(g.order_shift));
  out.Set("same_choice", Json(g.same_choice));
  return out;
}

class LocalJudge final : public Judge {
 public:
  LocalJudge(std::string name, Json config, std::unique_ptr<LoadedModel> model)
      : Judge(std::move(name), std::move(config)),
        model_(std::move(model)),
        engine_(*model_->decoder, EngineOptions()) {}

  void JudgeAll(std::span<const JudgeQuestion> questions, const OnAttempt& on_attempt,
                const OnDone& on_done) override {
    for (size_t begin = 0; begin < questions.size(); begin += kQuestionsTogether) {
      if (StopRequested()) return;
      const size_t end = std::min(begin + kQuestionsTogether, questions.size());
      try {
        JudgeBlock(questions.subspan(begin, end - begin), begin, on_attempt, on_done);
      } catch (const Interrupted&) {
        return;
      }
    }
  }

 private:
  // Of one question: where its letters begin among the requests, or why it cannot be asked.
  struct Asked {
    size_t first = 0;
    std::string problem;
  };

  void JudgeBlock(std::span<const JudgeQuestion> questions, size_t offset,
                  const OnAttempt& on_attempt, const OnDone& on_done) {
    const WallClock clock;
    std::vector<ScoreRequest> requests;
    std::vector<Asked> asked;
    for (const JudgeQuestion& q : questions) asked.push_back(Ask(q, requests));
    const std::vector<ScoreResult> results = engine_.Score(requests);
    const double share = clock.Seconds() / static_cast<double>(questions.size());
    for (size_t i = 0; i < questions.size(); ++i) {
      JudgeAttempt attempt;
      attempt.seconds = share;
      if (asked[i].problem.empty()) {
        Read(questions[i].rubric, &results[asked[i].first], attempt);
      } else {
        attempt.problem = asked[i].problem;
      }
      on_attempt(offset + i, attempt);
      on_done(offset + i, attempt.state);
    }
  }

  Asked Ask(const JudgeQuestion& question, std::vector<ScoreRequest>& requests) const {
    Asked asked = {requests.size(), ""};
    const std::string material =
        JudgeSystemText() + "\n\n" + MaterialText(question.rubric, question.text, question.call);
    for (const Dimension& dimension : question.rubric.dimensions) {
      for (const bool reversed : {false, true}) {
        const std::string context = Context(material + LetterQuestionText(dimension, reversed));
        for (size_t i = 0; i < dimension.grades.size(); ++i) {
          SplitPair pair = SplitContinuation(model_->tokenizer, context, Letter(i));
          const size_t size = pair.context.size();
          const int most = model_->decoder->config().max_positions;
          // A shortened prompt would lose the rubric, so it is not asked.
          if (!FitIntoContext(most, pair) || pair.context.size() != size) {
            requests.resize(asked.first);
            asked.problem = "the question has " + std::to_string(size) +
                            " tokens, the judge's context holds " + std::to_string(most);
            return asked;
          }
          requests.push_back({std::move(pair.context), std::move(pair.continuation)});
        }
      }
    }
    return asked;
  }

  std::string Context(const std::string& text) const {
    if (!model_->chat_template) return text + "\nAnswer:";
    Json message = Json::MakeObject(), messages = Json::MakeArray();
    message.Set("role", Json("user"));
    message.Set("content", Json(text));
    messages.Append(std::move(message));
    return model_->RenderChat(messages, true);
  }

  std::string Letter(size_t position) const {
    const std::string letter(1, static_cast<char>('A' + position));
    return model_->chat_template ? letter : " " + letter;
  }

  static void Read(const Rubric& rubric, const ScoreResult* results, JudgeAttempt& attempt) {
    Json dimensions = Json::MakeObject();
    for (const Dimension& dimension : rubric.dimensions) {
      std::vector<std::vector<double>> log_probs(2);
      for (auto& order : log_probs) {
        for (size_t i = 0; i < dimension.grades.size(); ++i) order.push_back(results++->log_prob);
      }
      const LetterGrade grade = GradeFromLetters(dimension, log_probs);
      if (!std::isfinite(grade.expectation)) {
        attempt.problem = "the judge's probabilities are not finite";
        attempt.grades.clear();
        return;
      }
      attempt.grades.push_back(grade.grade);
      dimensions.Set(dimension.key, GradeDetail(dimension, grade));
    }
    attempt.state = State::kOk;
    attempt.detail = Json::MakeObject();
    attempt.detail.Set("dimensions", std::move(dimensions));
  }

  std::unique_ptr<LoadedModel> model_;
  Engine engine_;
};

}  // namespace

LetterGrade GradeFromLetters(const Dimension& dimension,
                             const std::vector<std::vector<double>>& log_probs) {
  const size_t count = dimension.grades.size();
  std::vector<double> forward = Normalised(log_probs[0]), backward = Normalised(log_probs[1]);
  std::ranges::reverse(backward);
  LetterGrade out;
  for (size_t i = 0; i < count; ++i) {
    const double p = (forward[i] + backward[i]) / 2;
    out.probabilities.push_back(p);
    out.expectation += p * dimension.grades[i].value;
    if (p > 0) out.entropy -= p * std::log(p);
    out.order_shift += std::abs(forward[i] - backward[i]) / 2;
    out.mass += (std::exp(log_probs[0][i]) + std::exp(log_probs[1][i])) / 2;
  }
  out.same_choice = Likeliest(forward) == Likeliest(backward);
  const bool ordinal = dimension.kind == GradeKind::kOrdinal;
  out.grade = ordinal ? out.expectation : dimension.grades[Likeliest(out.probabilities)].value;
  return out;
}

std::unique_ptr<Judge> OpenLocalJudge(const std::string& model, const JudgeOptions& options,
                                      Progress& progress) {
  ModelOptions model_options = options.model;
  model_options.model = model;
  auto loaded = LoadedModel::Open(model_options, progress);
  const Json record = ModelRecord(*loaded, model_options);
  Json config = Json::MakeObject();
  config.Set("kind", Json("local"));
  config.Set("model", ModelIdentity(record));
  config.Set("seed", Json(std::to_string(options.seed)));
  return std::make_unique<LocalJudge>("local:" + ModelName(model_options), std::move(config),
                                      std::move(loaded));
}

}  // namespace lem
