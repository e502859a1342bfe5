// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/judge/calibration_store.h"

#include <algorithm>

#include "base/error.h"
#include "pipelines/loaded_model.h"

namespace lem {
namespace fs = std::filesystem;

fs::path CalibrationFolder() { return StoreFolder() / "calibration"; }

std::string CalibrationName(const std::string& dataset, const std::string& judge_hash) {
  return dataset + "-" + judge_hash.substr(0, 16);
}

Json StoredCalibrations(const std::string& judge_hash) {
  Json out = Json::MakeObject();
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(CalibrationFolder(), error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    const Json calibration = Json::ParseFile(file.string());
    const Json* hash = calibration.Find("judge_config");
    const Json* dataset = calibration.Find("dataset");
    if (hash == nullptr || dataset == nullptr || !hash->IsString() || !dataset->IsString())
      continue;
    if (hash->string() == judge_hash) out.Set(dataset->string(), calibration);
  }
  return out;
}

}  // namespace lem
