// SPDX-License-Identifier: EUPL-1.2
// A teacher answers prompts under the kernel; what passes the gates becomes training data, without
// the kernel. Killed at any point and run again, it ends with the same file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lek/kernel.h"
#include "pipelines/distill/gates.h"
#include "pipelines/distill/prompts.h"
#include "pipelines/distill/teacher.h"

namespace lem {

struct DistillOptions {
  std::filesystem::path output;  // JSONL; receipts go beside it, OUTPUT.receipts.jsonl
  KernelForm form = KernelForm::kSystem;
  int samples = 1;  // per prompt
  TeacherRequest request;
  uint64_t seed = 0;
  GateOptions gates;
  bool allow_missing = false;  // write the file without prompts that could not be answered
  bool overwrite = false;      // an output that is there without receipts
};

struct RejectedPrompt {
  std::string id, gate, detail;  // the first gate that the last sample did not pass
};

struct DistillResult {
  int64_t prompts = 0, accepted = 0;
  int64_t answers = 0, reused = 0;  // final ones; of these from earlier runs
  std::vector<RejectedPrompt> rejected;
  std::filesystem::path output, receipts;
  std::string output_sha256, kernel_sha256;
};

// Throws Error when some prompt has no final answer (they are asked again by the next run) unless
// allow_missing, and Interrupted; what was answered is kept in both cases.
DistillResult Distill(const std::vector<DistillPrompt>& prompts, const Kernel& kernel,
                      const DistillOptions& options, Teacher& teacher, Progress& progress);

// What would be asked first, with the kernel in its form.
TeacherTask MakeTask(const DistillPrompt& prompt, int sample, const Kernel& kernel,
                     const DistillOptions& options);

}  // namespace lem
