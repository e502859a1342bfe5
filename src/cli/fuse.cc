// SPDX-License-Identifier: EUPL-1.2
// lem fuse: fold an adapter into its base model.
#include "pipelines/fuse/fuse.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"
#include "formats/json.h"

namespace lem::cli {
namespace {

Json Optional(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json ToJson(const FuseResult& r) {
  Json modules = Json::MakeArray();
  for (const FusedModule& module : r.modules) {
    Json row = Json::MakeObject();
    row.Set("name", Json(module.name));
    row.Set("change", Json(module.change));
    row.Set("survival", Optional(module.survival));
    modules.Append(row);
  }
  Json out = Json::MakeObject();
  out.Set("folder", Json(r.folder.string()));
  out.Set("gguf_file", r.gguf_file.empty() ? Json() : Json(r.gguf_file.string()));
  out.Set("format", Json(r.format));
  out.Set("lowest_survival", Optional(r.lowest_survival));
  out.Set("mean_survival", Optional(r.mean_survival));
  out.Set("modules", modules);
  return out;
}

void PrintResult(const FuseResult& r, bool every_module) {
  for (const FusedModule& module : r.modules) {
    if (!every_module) break;
    Print(fmt::format(
        "  {:<44} change {:8.5f}  survives {}\n", module.name, module.change,
        module.survival ? fmt::format("{:5.1f} %", 100 * *module.survival) : "(no change)"));
  }
  Print(fmt::format("fused {} modules into {} ({})\n", r.modules.size(), r.folder.string(),
                    r.format));
  if (r.mean_survival) {
    Print(fmt::format(
        "of the adapter's change {:.1f} % survives the rounding, {:.1f} % in the worst module\n",
        100 * *r.mean_survival, 100 * *r.lowest_survival));
  }
  if (!r.gguf_file.empty()) Print("GGUF: " + r.gguf_file.string() + "\n");
}

}  // namespace

int Fuse(const Arguments& arguments) {
  FuseOptions options;
  MachineFlags machine;
  bool modules = false;
  Flags flags("fuse --model MODEL [--adapter-path A] [--save-path DIR] [flags]",
              "Folds an adapter into its base model and writes the result as a model folder. Says "
              "how much of the "
              "adapter's change survives the rounding of the written weights.");
  flags.Add("--model", options.model, "the base: a folder, a .gguf file, or a catalogue name")
      .Required();
  flags.Add("--adapter-path", options.adapter_path, "the adapter: MLX or PEFT folder, or .gguf");
  flags.Add("--save-path", options.save_path, "the folder to write");
  flags.Add("--dequantize,--de-quantize", options.dequantize,
            "write plain weights even if the base is quantised");
  flags.Add("--dtype", options.dtype, "type of the written weights; empty keeps the base's")
      .OneOf({"float16", "bfloat16", "float32"});
  flags.Add("--export-gguf", options.export_gguf, "also write a GGUF");
  flags.Add("--gguf-path", options.gguf_path, "the GGUF's name, relative to --save-path");
  flags.Add("--gguf-type", options.gguf_type, "its type")
      .OneOf({"f32", "f16", "bf16", "q8_0", "q4_0"});
  flags.Add("--modules", modules, "print every module's line");
  flags.Section("Accepted from mlx-lm, without effect here");
  flags.AddIgnored("--trust-remote-code", false, "no code is ever run from a model folder");
  flags.AddIgnored("--upload-repo", true, "nothing is uploaded");
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  TerminalProgress progress;
  const FuseResult result = lem::Fuse(options, progress);
  if (machine.json) {
    Print(ToJson(result).Dump() + "\n");
  } else {
    PrintResult(result, modules);
  }
  return 0;
}

}  // namespace lem::cli
