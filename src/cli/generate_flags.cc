// SPDX-License-Identifier: EUPL-1.2
#include "cli/generate_flags.h"

#include "base/error.h"

namespace lem::cli {

void GenerateFlags::AddTo(Flags& flags) {
  SamplingOptions& s = options.sampling;
  flags.Section("Sampling");
  flags.Add("--max-tokens,-m", options.max_tokens, "the most tokens of one answer");
  flags.Add("--temp", s.temperature, "temperature; 0 takes the most likely token");
  flags.Add("--top-p", s.top_p, "keep the most likely tokens that together reach this probability");
  flags.Add("--min-p", s.min_p, "drop tokens under this share of the best token's probability");
  flags.Add("--top-k", s.top_k, "keep this many tokens; 0 keeps all");
  flags.Add("--min-tokens-to-keep", s.min_tokens_to_keep, "what --min-p leaves at least");
  flags.Add("--xtc-probability", s.xtc_probability, "how often XTC removes the most likely tokens");
  flags.Add("--xtc-threshold", s.xtc_threshold, "the probability above which XTC removes");
  flags.Add("--repetition-penalty", s.repetition_penalty,
            "divides the logits of recent tokens; 0: none");
  flags.Add("--seed", seed, "seed of the random numbers (default 0)");
  flags.Section("Text");
  flags.Add("--system-prompt", options.system_prompt, "a system message before the prompt");
  flags.Add("--extra-eos-token", options.extra_eos_tokens,
            "further tokens that end an answer (id or text)");
  flags.Add("--stop", options.stop, "an answer ends before any of these strings");
  flags.Add("--chat-template-config", template_config,
            "JSON object of variables for the chat template");
}

void GenerateFlags::Apply() {
  SamplingOptions& s = options.sampling;
  s.seed = seed.value_or(0);
  if (options.max_tokens < 1)
    FailUsage("--max-tokens: expected 1 or more, found ", options.max_tokens);
  if (!(s.temperature >= 0)) FailUsage("--temp: expected 0 or more, found ", s.temperature);
  if (!(s.top_p > 0 && s.top_p <= 1))
    FailUsage("--top-p: expected a number in (0, 1], found ", s.top_p);
  if (!(s.min_p >= 0 && s.min_p <= 1))
    FailUsage("--min-p: expected a number in [0, 1], found ", s.min_p);
  if (s.top_k < 0) FailUsage("--top-k: expected 0 or more, found ", s.top_k);
  if (s.min_tokens_to_keep < 1) FailUsage("--min-tokens-to-keep: expected 1 or more");
  if (!(s.xtc_probability >= 0 && s.xtc_probability <= 1))
    FailUsage("--xtc-probability: expected 0 to 1");
  if (!(s.xtc_threshold >= 0 && s.xtc_threshold <= 0.5f))
    FailUsage("--xtc-threshold: expected 0 to 0.5");
  if (!template_config.empty()) {
    options.template_variables = Json::Parse(template_config, "--chat-template-config");
    options.template_variables.AsObject("--chat-template-config");
  }
}

}  // namespace lem::cli
