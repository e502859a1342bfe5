// SPDX-License-Identifier: EUPL-1.2
// What a run record says about a model and a machine: hashes instead of names, so that an answer
// can be bound to what made it.
#pragma once

#include <string>

#include "formats/json.h"
#include "pipelines/loaded_model.h"

namespace lem {

// {"path","family","parameters","weights_sha256","adapter_path","adapter_sha256",
// "tokenizer_sha256","template","template_sha256","dtype","kernels"}; null where there is none.
// Reads the weight files once.
Json ModelRecord(const LoadedModel& model, const ModelOptions& options);

// The part of a record that shapes what the model says: the hashes, dtype and kernels.
Json ModelIdentity(const Json& record);

// {"cpu","kernels","threads","memory_bytes"} of this machine.
Json MachineRecord();

// A short name for --model and --adapter-path: "smollm2-135m-instruct.q4_1+lek".
std::string ModelName(const ModelOptions& options);

}  // namespace lem
