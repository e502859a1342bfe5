// SPDX-License-Identifier: EUPL-1.2
// Where calibrations lie: one JSON file per judge configuration and data set, so that a run can
// show how far its judge can be trusted.
#pragma once

#include <filesystem>
#include <string>

#include "formats/json.h"

namespace lem {

// STORE/calibration, beside models and data.
std::filesystem::path CalibrationFolder();
std::string CalibrationName(const std::string& dataset, const std::string& judge_hash);

// dataset -> its calibration, of all files whose "judge_config" is this hash. An object.
Json StoredCalibrations(const std::string& judge_hash);

}  // namespace lem
