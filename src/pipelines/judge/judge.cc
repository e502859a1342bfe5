// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/judge/judge.h"

#include "base/error.h"
#include "pipelines/judge/endpoint_judge.h"
#include "pipelines/judge/local_judge.h"

namespace lem {

Judge::Judge(std::string name, Json config) : name_(std::move(name)), config_(std::move(config)) {
  Json words = Json::MakeObject();
  words.Set("system", Json(JudgeSystemText()));
  words.Set("rubrics", AllRubricsJson());
  config_.Set("prompt_revision", Json(kJudgePromptRevision));
  config_.Set("words_sha256", Json(HashJson(words)));
  hash_ = HashJson(config_);
  config_.Set("hash", Json(hash_));
}

std::unique_ptr<Judge> OpenJudge(const JudgeOptions& options, Progress& progress) {
  const size_t colon = options.judge.find(':');
  const std::string kind = options.judge.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : options.judge.substr(colon + 1);
  if (kind == "local" && !rest.empty()) return OpenLocalJudge(rest, options, progress);
  if ((kind == "openai" || kind == "gemini") && !rest.empty()) return OpenEndpointJudge(options);
  FailUsage("--judge ", options.judge,
            ": expected local:MODEL, openai:URL#MODEL or gemini:MODEL, found another form");
}

}  // namespace lem
