// SPDX-License-Identifier: EUPL-1.2
// lem perplexity: how well a model predicts a text.
#include "pipelines/perplexity/perplexity.h"

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"
#include "formats/json.h"

namespace lem::cli {

int Perplexity(const Arguments& arguments) {
  ModelOptions model_options;
  MachineFlags machine;
  std::string file;
  Flags flags(
      "perplexity --model MODEL --file FILE [flags]",
      "Scores a text file: the negative log-likelihood in nats of every token after the first, and "
      "its exponential per token.");
  flags.Add("--file", file, "the text; - reads standard input").Required();
  AddModelFlags(flags, model_options);
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  const std::string text = ReadTextFile(file == "-" ? "/dev/stdin" : file);
  TerminalProgress progress;
  model_options.chat_template = "none";
  const auto model = LoadedModel::Open(model_options, progress);
  const PerplexityResult r = MeasurePerplexity(*model, text, progress);
  if (machine.json) {
    Json out = Json::MakeObject();
    out.Set("tokens", Json(r.tokens));
    out.Set("nll", Json(r.nll));
    out.Set("ppl", Json(r.ppl));
    out.Set("tokens_per_second", Json(r.tokens_per_second));
    Print(out.Dump() + "\n");
  } else {
    Print(fmt::format(
        "perplexity {:.4f} over {} tokens ({:.4f} nats), {:.0f} tokens/s, peak memory {}\n", r.ppl,
        r.tokens, r.nll, r.tokens_per_second, FormatBytes(static_cast<double>(PeakMemoryBytes()))));
  }
  return 0;
}

}  // namespace lem::cli
