// SPDX-License-Identifier: EUPL-1.2
#include "base/error.h"
#include "model/engine.h"
#include "pipelines/answer_stream.h"
#include "pipelines/distill/teacher.h"
#include "pipelines/model_record.h"

namespace lem {
namespace {

TeacherAnswer ToAnswer(const Generation& generation, const std::string& text) {
  TeacherAnswer answer;
  const bool blank = text.find_first_not_of(" \t\r\n") == std::string::npos;
  const bool cut = generation.finish == FinishReason::kLength;
  answer.state = blank ? "empty" : cut ? "truncated" : "ok";
  answer.final = true;  // the same seed gives the same answer: asking again changes nothing
  answer.text = text;
  answer.finish_reason = cut ? "length" : "stop";
  answer.prompt_tokens = generation.prompt_tokens;
  answer.answer_tokens = generation.generation_tokens;
  return answer;
}

class LocalTeacher final : public Teacher {
 public:
  LocalTeacher(const ModelOptions& options, int batch, Progress& progress)
      : model_(LoadedModel::Open(options, progress)), batch_(batch) {
    identity_ = ModelIdentity(ModelRecord(*model_, options));
    if (!model_->chat_template) {
      FailUsage("--chat-template none: a teacher needs a template to tell it from the user");
    }
  }

  Json Identity() const override { return identity_; }

  std::string Preview(const TeacherTask& task, const TeacherRequest&) const override {
    return Render(task);
  }

  void Answer(const std::vector<TeacherTask>& tasks, const TeacherRequest& request,
              const OnAnswer& on_answer) override {
    EngineOptions options;
    options.max_batch = batch_;
    Engine engine(*model_->decoder, options);
    std::vector<GenerateRequest> requests;
    std::vector<std::unique_ptr<AnswerStream>> streams;
    for (const TeacherTask& task : tasks) {
      requests.push_back(MakeRequest(task, request));
      streams.push_back(
          std::make_unique<AnswerStream>(model_->tokenizer, std::vector<std::string>{}));
    }
    engine.Generate(
        requests,
        [&](size_t i, int32_t id) {
          streams[i]->Push(id);
          return true;
        },
        [&](size_t i, const Generation& generation) {
          if (generation.finish == FinishReason::kCancelled) return;
          streams[i]->Finish();
          on_answer(i, 0, ToAnswer(generation, streams[i]->text()), true);
        });
  }

 private:
  std::string Render(const TeacherTask& task) const {
    try {
      return model_->RenderChat(task.messages, true);
    } catch (const Error& e) {
      Fail(e.what(), "; if this template has no system role, use --form prefix");
    }
  }

  GenerateRequest MakeRequest(const TeacherTask& task, const TeacherRequest& request) const {
    GenerateRequest generate;
    generate.prompt = model_->tokenizer.Encode(Render(task), false);
    generate.max_tokens = request.max_tokens;
    generate.end_ids = model_->end_ids();
    generate.sampling.temperature = static_cast<float>(request.temperature);
    generate.sampling.top_p = static_cast<float>(request.top_p);
    generate.sampling.seed = task.seed;
    generate.stream = 0;  // the seed is the task's own
    return generate;
  }

  std::unique_ptr<LoadedModel> model_;
  Json identity_;
  int batch_;
};

}  // namespace

std::unique_ptr<Teacher> MakeLocalTeacher(const ModelOptions& options, int batch,
                                          Progress& progress) {
  return std::make_unique<LocalTeacher>(options, batch, progress);
}

}  // namespace lem
