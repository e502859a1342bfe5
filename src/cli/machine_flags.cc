// SPDX-License-Identifier: EUPL-1.2
#include "cli/machine_flags.h"

#include "base/error.h"
#include "base/threads.h"

namespace lem::cli {

void MachineFlags::AddTo(Flags& flags) {
  flags.Section("Machine");
  flags.Add("--threads", threads, "threads to use; 0 means all cores");
  flags.Add("--json", json, "print exactly one JSON object on stdout");
}

void MachineFlags::Apply() const {
  if (threads < 0) FailUsage("--threads: expected 0 or more, found ", threads);
  SetThreads(threads);
}

void AddModelFlags(Flags& flags, ModelOptions& options, bool adapter) {
  flags.Section("Model");
  flags.Add("--model", options.model, "a model folder, a .gguf file, or a catalogue name")
      .Required();
  if (adapter) {
    flags.Add("--adapter-path", options.adapter_path, "an adapter: MLX or PEFT folder, or .gguf");
  }
  flags.Add("--dtype", options.dtype, "how matrix products round their operands")
      .OneOf({"bfloat16", "int8", "float32"});
  flags.Add("--chat-template", options.chat_template,
            "auto (the model's own, else its family's), none, a built-in name, or a file");
  flags.Add("--device", options.device, "where to compute").OneOf({"auto", "cpu", "cuda"});
}

}  // namespace lem::cli
