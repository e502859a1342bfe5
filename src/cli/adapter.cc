// SPDX-License-Identifier: EUPL-1.2
// lem adapter: an adapter's format.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/terminal.h"
#include "formats/json.h"
#include "pipelines/adapter_convert/adapter_convert.h"

namespace lem::cli {

int Adapter(const Arguments& arguments) {
  AdapterConvertOptions options;
  bool json = false;
  Flags flags("adapter --model MODEL --adapter-path A --format mlx|peft|gguf --to OUT [flags]",
              "Converts an adapter between the formats of MLX, PEFT and llama.cpp. The model is "
              "needed for its "
              "shapes only.");
  flags.Add("--model", options.model, "the base the adapter belongs to").Required();
  flags.Add("--adapter-path", options.adapter_path, "the adapter: MLX or PEFT folder, or .gguf")
      .Required();
  flags.Add("--format", options.format, "the format to write")
      .Required()
      .OneOf({"mlx", "peft", "gguf"});
  flags.Add("--to,--save-path", options.output, "the folder, or for gguf the file, to write")
      .Required();
  flags.Add("--json", json, "print exactly one JSON object on stdout");
  if (!flags.Parse(arguments)) return 0;
  const AdapterConvertResult r = ConvertAdapter(options);
  if (json) {
    Json out = Json::MakeObject();
    out.Set("output", Json(r.output.string()));
    out.Set("format", Json(options.format));
    out.Set("modules", Json(static_cast<int64_t>(r.modules)));
    out.Set("rank", Json(r.shape.rank));
    out.Set("scale", Json(r.shape.scale));
    Print(out.Dump() + "\n");
  } else {
    Print(fmt::format("wrote {} ({}): {} modules, rank {}, scale {}\n", r.output.string(),
                      options.format, r.modules, r.shape.rank, r.shape.scale));
  }
  return 0;
}

}  // namespace lem::cli
