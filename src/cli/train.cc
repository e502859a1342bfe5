// SPDX-License-Identifier: EUPL-1.2
// lem train: fine-tune a model on conversations. lem lora is the same command.
#include "pipelines/train/train.h"

#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/machine_flags.h"
#include "cli/train_flags.h"
#include "cli/train_output.h"
#include "formats/yaml.h"
#include "pipelines/loaded_model.h"
#include "pipelines/train/console_lines.h"

namespace lem::cli {
namespace {

// Defaults, then the YAML file, then the command line.
TrainOptions Merge(const std::string& config, const Json& settings, TrainConsole& console) {
  TrainOptions options;
  if (!config.empty()) {
    console.Line(ConfigLine(config));
    ApplyYaml(ReadYamlFile(config), config, &options);
    options.config = config;
  }
  ApplyYaml(settings, "command line", &options);
  if (!options.train && !options.test) options.train = true;
  if (options.model.empty())
    FailUsage("missing --model: a model folder, a .gguf file, or a catalogue name");
  if (options.data.empty() && options.resume.empty())
    FailUsage("missing --data: a folder with train.jsonl");
  return options;
}

}  // namespace

int Train(const Arguments& arguments) {
  Json settings = Json::MakeObject();
  MachineFlags machine;
  std::string config;
  bool plan_only = false;
  Flags flags("train --model MODEL --data FOLDER [flags]",
              "Fine-tunes a model on conversations: LoRA, DoRA or full, with mlx_lm.lora's flags, "
              "files and "
              "console lines. --compat mlx-lm reproduces that program to the number; the default "
              "mode mends "
              "its errors and says so.");
  AddTrainFlags(flags, settings);
  flags.Section("Run");
  flags.Add("--config,-c", config,
            "a YAML file of these settings, of lora_parameters and lr_schedule");
  flags.Add("--plan", plan_only, "print what the run needs in memory and time, and do not run");
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  TrainConsole console(machine.json);
  const TrainOptions options = Merge(config, settings, console);
  if (plan_only) {
    const TrainPlan plan = PlanTraining(options, console);
    Print(machine.json ? ToJson(plan).Dump() + "\n" : PlanText(plan));
    return 0;
  }
  const TrainResult result = lem::Train(options, BackendByName(options.device), console);
  Print(machine.json ? ToJson(result).Dump() + "\n" : ProfileText(result));
  return 0;
}

}  // namespace lem::cli
