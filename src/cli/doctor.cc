// SPDX-License-Identifier: EUPL-1.2
// lem doctor: what this machine can do.
#include "pipelines/doctor/doctor.h"

#include <fmt/format.h>

#include "base/version.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"
#include "formats/json.h"

namespace lem::cli {
namespace {

Json Names(const std::vector<std::string>& names) {
  Json list = Json::MakeArray();
  for (const std::string& name : names) list.Append(Json(name));
  return list;
}

// A rate that was not measured is null, never zero.
Json Rate(double value) { return value > 0 ? Json(value) : Json(); }

Json ToJson(const DoctorReport& r) {
  Json out = Json::MakeObject();
  out.Set("version", Json(kVersion));
  out.Set("commit", Json(kCommit));
  out.Set("cpu", Json(r.cpu));
  out.Set("features", Json(r.features));
  out.Set("kernels", Json(r.kernels));
  out.Set("threads", Json(r.threads));
  out.Set("cuda", Json(r.cuda));
  out.Set("memory_total_bytes", Json(static_cast<int64_t>(r.memory_total)));
  out.Set("memory_available_bytes", Json(static_cast<int64_t>(r.memory_available)));
  out.Set("gemm_bfloat16_flops", Rate(r.gemm_bfloat16_flops));
  out.Set("gemm_float32_flops", Rate(r.gemm_float32_flops));
  out.Set("read_bytes_per_second", Rate(r.read_bytes_per_second));
  out.Set("store", Json(r.store));
  out.Set("models", Names(r.models));
  out.Set("data", Json(r.data));
  out.Set("datasets", Names(r.datasets));
  return out;
}

void PrintNames(const char* what, const std::string& folder,
                const std::vector<std::string>& names) {
  Print(fmt::format("{:<10} {}: {}\n", what, folder,
                    names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
}

void PrintReport(const DoctorReport& r) {
  Print(fmt::format("lem {} ({})\n", kVersion, kCommit));
  Print(fmt::format("{:<10} {}, {} threads\n", "processor", r.cpu, r.threads));
  Print(Wrap(r.features, TerminalWidth(), 11) + "\n");
  Print(fmt::format("{:<10} {} (LEM_CPU forces another set)\n", "kernels", r.kernels));
  Print(fmt::format("{:<10} {} of {} available\n", "memory",
                    FormatBytes(static_cast<double>(r.memory_available)),
                    FormatBytes(static_cast<double>(r.memory_total))));
  if (r.read_bytes_per_second > 0) {
    Print(fmt::format("{:<10} {:.0f} GFLOP/s bfloat16, {:.0f} float32 (one large oneDNN product)\n",
                      "products", r.gemm_bfloat16_flops / 1e9, r.gemm_float32_flops / 1e9));
    Print(fmt::format("{:<10} {:.1f} GB/s\n", "reading", r.read_bytes_per_second / 1e9));
  }
  Print(fmt::format("{:<10} {}\n", "cuda", r.cuda ? "yes" : "not in this build"));
  PrintNames("models", r.store, r.models);
  PrintNames("data", r.data, r.datasets);
}

}  // namespace

int Doctor(const Arguments& arguments) {
  MachineFlags machine;
  bool no_measure = false;
  Flags flags("doctor [flags]",
              "Says what this machine can do: instruction sets and the kernels they select, "
              "memory, measured "
              "rates of matrix products and memory, models and data found.");
  flags.Add("--no-measure", no_measure, "skip the three seconds of measuring");
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  const DoctorReport report = Examine(!no_measure);
  if (machine.json) {
    Print(ToJson(report).Dump() + "\n");
  } else {
    PrintReport(report);
  }
  return 0;
}

}  // namespace lem::cli
