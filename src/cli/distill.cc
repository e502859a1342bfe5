// SPDX-License-Identifier: EUPL-1.2
// lem distill: training data from a teacher under the kernel.
#include "pipelines/distill/distill.h"

#include <fmt/format.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"

namespace lem::cli {
namespace {

struct DistillFlags {
  std::vector<std::string> prompts;
  std::string output, form = "system";
  ModelOptions model;
  std::string endpoint, endpoint_kind = "openai", endpoint_model;
  KernelSources kernel;
  ClientOptions client;
  int batch_size = 16, limit = 0, max_requests = 0, max_api_tokens = 0;
  bool dry_run = false;
  DistillOptions options;
  MachineFlags machine;

  void AddTo(Flags& flags);
  void Apply(const Flags& flags);
};

void DistillFlags::AddTo(Flags& flags) {
  flags.Add("--prompts", prompts, "JSONL rows or a JSON list of {\"id\",\"prompt\"}").Required();
  flags.Add("--output,-o", output, "the training file; OUTPUT.receipts.jsonl is kept beside it");
  flags.Add("--limit", limit, "only so many of the prompts (0: all)");
  flags.Add("--dry-run", dry_run, "print what the teacher would be sent first, and stop");
  flags.Section("Teacher: a model here");
  flags.Add("--teacher-model", model.model, "a model folder, a .gguf file, or a catalogue name");
  flags.Add("--adapter-path", model.adapter_path, "an adapter for it");
  flags.Add("--dtype", model.dtype, "how matrix products round their operands")
      .OneOf({"bfloat16", "int8", "float32"});
  flags.Add("--chat-template", model.chat_template, "auto, a built-in name, or a file");
  flags.Add("--device", model.device, "where to compute").OneOf({"auto", "cpu", "cuda"});
  flags.Add("--batch-size", batch_size, "prompts answered together");
  flags.Section("Teacher: an endpoint (its key comes from the environment)");
  flags.Add("--endpoint", endpoint, "address up to /chat/completions, as http://127.0.0.1:8080/v1");
  flags
      .Add("--endpoint-kind", endpoint_kind,
           "openai (OPENAI_API_KEY or LEM_API_KEY), or gemini (GEMINI_API_KEY or GOOGLE_API_KEY; "
           "without --endpoint Google's own address)")
      .OneOf({"openai", "gemini"});
  flags.Add("--endpoint-model", endpoint_model, "the model's name there");
  flags.Add("--concurrency", client.max_concurrency, "most requests in flight");
  flags.Add("--max-requests", max_requests, "stop after so many requests (0: no limit)");
  flags.Add("--max-api-tokens", max_api_tokens,
            "stop after so many tokens, both ways (0: no limit)");
  flags.Add("--first-wait", client.retry.first_wait,
            "seconds before a failed request is repeated; doubled each time");
  flags.Section("Kernel");
  flags
      .Add("--form", form,
           "how the kernel goes before the prompt: system; prefix, for templates without a "
           "system role; sandwich: axioms, prompt, kernel; none")
      .OneOf({"system", "prefix", "sandwich", "none"});
  flags.Add("--kernel", kernel.kernel, "a kernel file instead of the built-in text");
  flags.Add("--axioms", kernel.axioms, "an axioms file instead of the built-in one");
  flags.Section("Answers");
  flags.Add("--samples", options.samples, "answers per prompt, of which one is taken");
  flags.Add("--temp", options.request.temperature, "sampling temperature");
  flags.Add("--top-p", options.request.top_p, "nucleus of the distribution");
  flags.Add("--max-tokens,-m", options.request.max_tokens, "tokens per answer");
  flags.Add("--seed", options.seed, "of all sampling");
  flags.Section("Gates");
  flags.Add("--min-words", options.gates.bounds.min_words, "an answer has at least so many words");
  flags.Add("--max-words", options.gates.bounds.max_words, "and at most so many");
  flags.Add("--near", options.gates.near,
            "share of common word triples from which an answer repeats another");
  flags.Add("--skip-gate", options.gates.skipped,
            "given, truncated, preamble, closing, echo, refusal, length, encoding or duplicate");
  flags.Add("--allow-missing", options.allow_missing,
            "write the file without prompts that could not be answered");
  flags.Add("--overwrite", options.overwrite, "replace an output that has no receipts");
  machine.AddTo(flags);
}

void Require(bool holds, const std::string& message) {
  if (!holds) FailUsage(message);
}

void DistillFlags::Apply(const Flags& flags) {
  machine.Apply();
  const bool remote = !endpoint.empty() || flags.Seen("--endpoint-kind") || !endpoint_model.empty();
  Require(remote != !model.model.empty(),
          std::string("expected one teacher, --teacher-model or --endpoint, found ") +
              (remote ? "both" : "none"));
  Require(!output.empty() || dry_run, "--output: expected a path for the training file");
  Require(options.samples >= 1 && options.samples <= 100, "--samples: expected 1 to 100");
  Require(options.request.max_tokens >= 1, "--max-tokens: expected 1 or more");
  Require(options.request.temperature >= 0, "--temp: expected 0 or more");
  Require(options.request.top_p > 0 && options.request.top_p <= 1,
          "--top-p: expected a number above 0 and at most 1");
  Require(options.samples == 1 || options.request.temperature > 0,
          "--samples: at --temp 0 all samples are the same; raise it, or ask for one");
  Require(client.max_concurrency >= 1 && client.max_concurrency <= 256,
          "--concurrency: expected 1 to 256");
  Require(client.retry.first_wait > 0, "--first-wait: expected more than 0 seconds");
  Require(batch_size >= 1, "--batch-size: expected 1 or more");
  Require(options.gates.near > 0 && options.gates.near <= 1,
          "--near: expected a share above 0 and at most 1");
  Require(limit >= 0 && max_requests >= 0 && max_api_tokens >= 0,
          "--limit, --max-requests, --max-api-tokens: expected 0 or more");
  CheckGates(options.gates);
  options.form = KernelFormByName(form);
  options.output = output;
  client.retry.seed = options.seed;
  client.budget = {max_requests, max_api_tokens};
}

std::unique_ptr<Teacher> MakeTeacher(const DistillFlags& f, TerminalProgress& progress) {
  if (!f.model.model.empty()) return MakeLocalTeacher(f.model, f.batch_size, progress);
  return MakeEndpointTeacher(
      MakeEndpoint(EndpointKindByName(f.endpoint_kind), f.endpoint, f.endpoint_model), f.client,
      progress);
}

Json ToJson(const DistillResult& result) {
  Json out = Json::MakeObject(), rejected = Json::MakeArray();
  for (const RejectedPrompt& prompt : result.rejected) {
    Json row = Json::MakeObject();
    row.Set("id", Json(prompt.id));
    row.Set("gate", Json(prompt.gate));
    row.Set("detail", Json(prompt.detail));
    rejected.Append(row);
  }
  out.Set("output", Json(result.output.string()));
  out.Set("output_sha256", Json(result.output_sha256));
  out.Set("receipts", Json(result.receipts.string()));
  out.Set("kernel_sha256", Json(result.kernel_sha256));
  out.Set("prompts", Json(result.prompts));
  out.Set("accepted", Json(result.accepted));
  out.Set("answers", Json(result.answers));
  out.Set("reused", Json(result.reused));
  out.Set("rejected", rejected);
  return out;
}

void PrintResult(const DistillResult& result) {
  for (const RejectedPrompt& prompt : result.rejected) {
    Print(fmt::format("{}: no answer taken; {}: {}\n", prompt.id, prompt.gate, prompt.detail));
  }
  Print(fmt::format("{}: {} of {} prompts, from {} answers ({} from earlier runs)\n",
                    result.output.string(), result.accepted, result.prompts, result.answers,
                    result.reused));
  Print("receipts: " + result.receipts.string() + "\n");
}

}  // namespace

int Distill(const Arguments& arguments) {
  DistillFlags f;
  Flags flags(
      "distill --prompts FILE... --output FILE --teacher-model MODEL | --endpoint URL",
      "Lets a teacher answer prompts under the kernel, and keeps what passes the gates: the "
      "prompt and the answer, without the kernel. Run again after a stop, it continues.");
  f.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  f.Apply(flags);
  DistillPrompts read = ReadDistillPrompts(f.prompts);
  if (f.limit > 0 && static_cast<size_t>(f.limit) < read.prompts.size()) {
    read.prompts.resize(static_cast<size_t>(f.limit));
  }
  TerminalProgress progress;
  if (read.from_seeds) {
    progress.Warn(
        "some of these are evaluation prompts; a model trained on the answers can no "
        "longer be measured with them");
  }
  const lem::Kernel kernel = LoadKernel(f.kernel);
  const std::unique_ptr<Teacher> teacher = MakeTeacher(f, progress);
  if (f.dry_run) {
    const TeacherTask task = MakeTask(read.prompts[0], 0, kernel, f.options);
    Print(teacher->Preview(task, f.options.request));
    return 0;
  }
  const DistillResult result = lem::Distill(read.prompts, kernel, f.options, *teacher, progress);
  if (f.machine.json) {
    Print(ToJson(result).Dump() + "\n");
  } else {
    PrintResult(result);
  }
  return 0;
}

}  // namespace lem::cli
