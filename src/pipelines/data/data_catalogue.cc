// SPDX-License-Identifier: EUPL-1.2
// The benchmark files. URLs name a commit where the place offers one; the hash decides in any case.
#include "pipelines/data/fetch.h"

namespace lem {
namespace {

std::string Gsm8k(const std::string& file) {
  return "https://raw.githubusercontent.com/openai/grade-school-math/"
         "3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data/" +
         file;
}

std::string TruthfulQa(const std::string& file) {
  return "https://raw.githubusercontent.com/sylinrl/TruthfulQA/"
         "d71c110897f5d31c5d7f309e7bc316c152f6f031/" +
         file;
}

std::vector<DataFile> MakeCatalogue() {
  const std::string mit = "MIT", apache = "Apache-2.0", dna = "CC BY-NC-SA 4.0",
                    toxigen = "CDLA-Permissive-2.0";
  return {
      {"gsm8k",
       "gsm8k/test.jsonl",
       "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
       749738,
       {Gsm8k("test.jsonl")},
       mit},
      {"gsm8k",
       "gsm8k/example_model_solutions.jsonl",
       "4bc62db838f8418365d51c627bd66294cbdca9fb7f01519cb13f0dce8c51580b",
       2563513,
       {Gsm8k("example_model_solutions.jsonl")},
       mit},
      {"truthfulqa",
       "truthfulqa/TruthfulQA.csv",
       "b8d8ef1e12f98b4f2a9f47abc9765da0640b182b6c5d9b92f0c1a1f2f1e02e5c",
       503550,
       {TruthfulQa("TruthfulQA.csv")},
       apache},
      {"truthfulqa",
       "truthfulqa/mc_task.json",
       "c90d853454fd48c676accb33e16923ac438dbb6fb37ecc7c6a70e33c9e556e87",
       744411,
       {TruthfulQa("data/mc_task.json")},
       apache},
      {"truthfulqa",
       "truthfulqa/v1/TruthfulQA.csv",
       "f9bd9e859cc102cb1f647f1064da7e009be752c416845cf9fa56e6eaae403a7d",
       476230,
       {TruthfulQa("data/v1/TruthfulQA.csv")},
       apache},
      {"truthfulqa",
       "truthfulqa/v1/mc_task.json",
       "b3799639bc76c939836d587de7d30b48d91012cb34be04806d33106ce06c162a",
       755456,
       {TruthfulQa("data/v1/mc_task.json")},
       apache},
      {"truthfulqa",
       "truthfulqa/finetune_truth.jsonl",
       "8e81d9f0dc592e26fb0d37106126e489d39ac75099828b1f2c8142f3ede60c6b",
       3576095,
       {TruthfulQa("data/finetune_truth.jsonl")},
       apache},
      {"truthfulqa",
       "truthfulqa/finetune_info.jsonl",
       "b8e00e379f3aefcdb01b93886e67e0991ca90b5fdd389c0be4be2f5f00c07ec3",
       3651989,
       {TruthfulQa("data/finetune_info.jsonl")},
       apache},
      {"do-not-answer",
       "do-not-answer/do_not_answer_en.csv",
       "06acfa39a06a1b33d1f264ce41b4f7a95812010c594fb733ae4717ee0a4544fc",
       329395,
       {"https://raw.githubusercontent.com/Libr-AI/do-not-answer/main/datasets/Instruction/"
        "do_not_answer_en.csv"},
       dna},
      // Questions, six models' answers and human labels; the fork's tree moved, so only --from.
      {"do-not-answer",
       "do-not-answer/data_en.csv",
       "410449674780aa7304512043706f7981f666a79528d11546da34ebdd9595681c",
       3912791,
       {},
       dna},
      {"toxigen",
       "toxigen/annotated_train.csv",
       "968e6bf2b637cca1118f31e2ec085833d0fee38cbe0f102508239184e266e62a",
       3054919,
       {"https://huggingface.co/datasets/toxigen/toxigen-data/resolve/main/annotated_train.csv"},
       toxigen},
      {"toxigen",
       "toxigen/annotated_test_partial_safenlp_727.jsonl",
       "f5f7874749fdf67fdac82540188bb9ef0c7ec6422b4b24e11bfae530a62ff59e",
       172615,
       {},
       toxigen},
  };
}

}  // namespace

std::span<const DataFile> DataCatalogue() {
  static const std::vector<DataFile> catalogue = MakeCatalogue();
  return catalogue;
}

}  // namespace lem
