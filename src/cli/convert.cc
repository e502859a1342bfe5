// SPDX-License-Identifier: EUPL-1.2
// lem convert: a model's format or number type.
#include "pipelines/convert/convert.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"
#include "formats/json.h"

namespace lem::cli {

int Convert(const Arguments& arguments) {
  ConvertOptions options;
  MachineFlags machine;
  Flags flags("convert --model MODEL (--mlx-path DIR | --gguf FILE) [flags]",
              "Converts between Hugging Face folders, MLX folders (quantised or not) and GGUF, "
              "tokenizer and chat "
              "template included.");
  flags.Add("--model,--hf-path", options.model, "a folder, a .gguf file, or a catalogue name")
      .Required();
  flags.Add("--mlx-path", options.mlx_path, "the folder to make; it must not exist");
  flags.Add("--gguf", options.gguf, "write this GGUF file instead of a folder");
  flags.Add("--gguf-type", options.gguf_type, "its type")
      .OneOf({"f32", "f16", "bf16", "q8_0", "q4_0"});
  flags.Add("--quantize,-q", options.quantize, "quantise (MLX affine)");
  flags.Add("--q-bits", options.q_bits, "2, 3, 4, 5, 6 or 8; 0 means 4");
  flags.Add("--q-group-size", options.q_group_size, "32, 64 or 128; 0 means 64");
  flags.Add("--q-mode", options.q_mode, "the kind of quantisation").OneOf({"affine"});
  flags.Add("--quant-predicate", options.quant_predicate, "more bits for some modules")
      .OneOf({"mixed_2_6", "mixed_3_4", "mixed_3_6", "mixed_4_6"});
  flags.Add("--dtype", options.dtype, "type of plain weights; empty keeps the source's")
      .OneOf({"float16", "bfloat16", "float32"});
  flags.Add("--dequantize,-d", options.dequantize, "turn a quantised source into plain weights");
  flags.Section("Accepted from mlx-lm, without effect here");
  flags.AddIgnored("--trust-remote-code", false, "no code is ever run from a model folder");
  flags.AddIgnored("--upload-repo", true, "nothing is uploaded");
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  TerminalProgress progress;
  const ConvertResult r = lem::Convert(options, progress);
  if (machine.json) {
    Json out = Json::MakeObject();
    out.Set("output", Json(r.output.string()));
    out.Set("dtype", Json(r.dtype));
    out.Set("bits_per_weight", Json(r.bits_per_weight));
    out.Set("bytes", Json(static_cast<int64_t>(r.bytes)));
    out.Set("parameters", Json(r.parameters));
    Print(out.Dump() + "\n");
  } else {
    Print(fmt::format("[INFO] Wrote {}: {} parameters, {:.3f} bits per weight, {}\n",
                      r.output.string(), r.parameters, r.bits_per_weight,
                      FormatBytes(static_cast<double>(r.bytes))));
  }
  return 0;
}

}  // namespace lem::cli
