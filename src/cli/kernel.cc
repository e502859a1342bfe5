// SPDX-License-Identifier: EUPL-1.2
// lem kernel: show, verify or render the kernel.
#include "pipelines/kernel/kernel.h"

#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/terminal.h"

namespace lem::cli {
namespace {

struct KernelFlags {
  std::string action;
  KernelSources sources;
  std::string form = "system", prompt;
  bool json = false;
};

int Show(const lem::Kernel& kernel, bool json) {
  if (!json) {
    Print(kernel.text);
    return 0;
  }
  Json out = Json::MakeObject();
  out.Set("kernel", Json(kernel.text));
  out.Set("kernel_sha256", Json(kernel.text_sha256));
  out.Set("axioms", Json::Parse(kernel.axioms_text, kernel.axioms_where));
  out.Set("axioms_sha256", Json(kernel.axioms_sha256));
  Print(out.Dump() + "\n");
  return 0;
}

int Verify(const lem::Kernel& kernel, bool json) {
  Json checks = Json::MakeArray();
  std::string failed;
  for (const KernelCheck& check : VerifyKernel(kernel)) {
    if (!check.ok) failed += (failed.empty() ? "" : "; ") + check.what + ": " + check.detail;
    Json row = Json::MakeObject();
    row.Set("check", Json(check.what));
    row.Set("ok", Json(check.ok));
    row.Set("detail", Json(check.detail));
    checks.Append(row);
    if (!json)
      Print((check.ok ? "ok      " : "FAILED  ") + check.what + ": " + check.detail + "\n");
  }
  if (json) {
    Json out = Json::MakeObject();
    out.Set("ok", Json(failed.empty()));
    out.Set("checks", checks);
    Print(out.Dump() + "\n");
  }
  if (!failed.empty()) Fail(failed, "; this is not the text that the program was built with");
  return 0;
}

int Render(const lem::Kernel& kernel, const KernelFlags& flags) {
  const KernelForm form = KernelFormByName(flags.form);
  if (form != KernelForm::kSystem && flags.prompt.empty()) {
    FailUsage("--prompt: form ", flags.form, " goes around a prompt, and none was given");
  }
  if (flags.json) {
    Json out = Json::MakeObject();
    out.Set("form", Json(flags.form));
    out.Set("kernel_sha256", Json(kernel.text_sha256));
    out.Set("messages", RenderKernel(kernel, form, flags.prompt));
    Print(out.Dump() + "\n");
  } else {
    Print(RenderedText(kernel, form, flags.prompt) + "\n");
  }
  return 0;
}

}  // namespace

int Kernel(const Arguments& arguments) {
  KernelFlags options;
  Flags flags(
      "kernel show|verify|render [flags]",
      "Shows the kernel, checks it against the hashes the program was built with, or renders "
      "it as a model gets it.");
  flags.Positional("ACTION", options.action, "show, verify or render");
  flags.Add("--kernel", options.sources.kernel, "a kernel file instead of the built-in text");
  flags.Add("--axioms", options.sources.axioms, "an axioms file instead of the built-in one");
  flags.Section("Rendering");
  flags
      .Add("--form", options.form,
           "system; prefix, for templates without a system role; sandwich: axioms, prompt, kernel")
      .OneOf({"system", "prefix", "sandwich", "none"});
  flags.Add("--prompt", options.prompt, "the user's prompt");
  flags.Section("Output");
  flags.Add("--json", options.json, "print exactly one JSON object on stdout");
  if (!flags.Parse(arguments)) return 0;
  const lem::Kernel kernel = LoadKernel(options.sources);
  if (options.action == "show") return Show(kernel, options.json);
  if (options.action == "verify") return Verify(kernel, options.json);
  if (options.action == "render") return Render(kernel, options);
  FailUsage("expected show, verify or render, found ", options.action);
}

}  // namespace lem::cli
