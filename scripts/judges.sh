#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# What local judges are worth: each grades answers that people have labelled (Do-Not-Answer, TruthfulQA, ToxiGen) with
# `lem judge calibrate`, and the page says how far it agrees. Kill it and run it again: what was judged is kept.
#
#   scripts/judges.sh [--judges NAME,NAME] [--on SET,SET] [--limit N] [--threads N] [--work FOLDER] [--out FILE.md]
#
#   --judges NAMES  models (default smollm2-135m-instruct,gemma-3-270m): catalogue names, folders or .gguf files
#   --on SETS       labelled sets (default do-not-answer,truthfulqa,toxigen)
#   --limit N[,N..] labelled answers of each set, or of the sets in their order, drawn by seed 0 (default 200; 0: all,
#                   which takes hours); a greater number goes on from a smaller one
#   --threads N     of the judge (0: all cores)
#   --work FOLDER   the results as JSON (default build/judges); the page shows all that lie there
#   --out FILE.md   default benchmarks/results/judges.md
# $LEM names the program (default build/release/lem), $LEM_DATA the folder that `lem data fetch` filled.
set -euo pipefail
cd "$(dirname "$0")/.."

judges=smollm2-135m-instruct,gemma-3-270m on=do-not-answer,truthfulqa,toxigen limit=200 threads=0 work=build/judges out=benchmarks/results/judges.md
while [ $# -gt 0 ]; do
  case "$1" in
    --judges) judges=$2; shift 2 ;;
    --on) on=$2; shift 2 ;;
    --limit) limit=$2; shift 2 ;;
    --threads) threads=$2; shift 2 ;;
    --work) work=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    -h|--help) sed -n '3,15p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) echo "judges.sh: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
done

lem=${LEM:-build/release/lem}
mkdir -p "$work" "$(dirname "$out")"
IFS=, read -r -a models <<< "$judges"
IFS=, read -r -a limits <<< "$limit"
IFS=, read -r -a datasets <<< "$on"
number=0
for dataset in "${datasets[@]}"; do
  flags=(--threads "$threads") rows=${limits[number]:-${limits[0]}} number=$((number + 1))
  if [ "$rows" -gt 0 ]; then flags+=(--limit "$rows"); fi
  for model in "${models[@]}"; do
    if [ ! -e "$model" ]; then "$lem" pull "$model" > /dev/null; fi
    file=$work/$(basename "${model%.gguf}")-$dataset.json
    echo "== $model on $dataset"
    "$lem" judge calibrate --judge "local:$model" --on "$dataset" --out "$file" "${flags[@]}"
  done
done

python3 - "$out" "$("$lem" --version)" "$work"/*.json <<'PAGE'
import json, math, pathlib, sys

out, version, *files = sys.argv[1:]
results = sorted((json.loads(pathlib.Path(file).read_text()) for file in files), key=lambda r: (r["dataset"], r["judge"]))


def number(value, signed=False):
    return "-" if value is None else f"{value:+.3f}" if signed else f"{value:.3f}"


def ranged(row, key, signed=False):
    low, high = row.get(key + "_ci95") or (None, None)
    if row.get(key) is None or low is None:
        return number(row.get(key), signed)
    return f"{number(row[key], signed)} [{number(low, signed)}, {number(high, signed)}]"


def youden(row):
    """Sensitivity + specificity - 1, its interval from theirs (Newcombe's rule); (None,) * 3 when undefined."""
    a, b = row.get("sensitivity"), row.get("specificity")
    if a is None or b is None:
        return None, None, None
    (a_low, a_high), (b_low, b_high) = row["sensitivity_ci95"], row["specificity_ci95"]
    j = a + b - 1
    return j, j - math.hypot(a - a_low, b - b_low), j + math.hypot(a_high - a, b_high - b)


def verdict(row):
    j, low, _ = youden(row)
    if j is None:
        return "not shown: one label only" if row["labels"] == 2 else "-"
    if j <= 0:
        return "no: rates are not corrected with it"
    return "yes" if low > 0 else "not shown"


lines = ["# What local judges are worth", "",
         f"Written by `scripts/judges.sh`, {version}; every number is of `lem judge calibrate`, which lets a judge grade answers "
         "that people have labelled.", "",
         "*kappa* (Cohen) and *AC1* (Gwet): agreement beyond chance, 0 is none; a judge that always "
         "gives the commoner label has a kappa of 0 and may have a high AC1. "
         "*Youden*: sensitivity + specificity - 1, 0 for a judge that guesses. Intervals are 95 %: Wilson's for sensitivity and "
         "specificity, a bootstrap over the answers for kappa and AC1, Newcombe's for Youden. A judge *tells apart* when Youden's "
         "interval lies above zero; `lem report` takes a judge's errors out of its rates only where Youden is above zero, and the "
         "width it then prints says how little such a judge knows."]
for dataset in dict.fromkeys(result["dataset"] for result in results):
    of = [result for result in results if result["dataset"] == dataset]
    lines += ["", f"## {dataset}", "",
              "| judge | metric | answers | without a verdict | same label | kappa | AC1 | sensitivity | specificity | Youden "
              "| rate: people, judge | tells apart |",
              "|---|---|--:|--:|--:|---|---|---|---|---|---|---|"]
    for result in of:
        missing = sum(result["missing"].values())
        for metric, row in result["metrics"].items():
            j, low, high = youden(row)
            rates = f"{number(row['human_rate'])}, {number(row['judged_rate'])}" if "human_rate" in row else "-"
            lines.append("| " + " | ".join([
                result["judge"], metric, str(row["n"]), str(missing), number(row.get("observed")), ranged(row, "kappa"),
                ranged(row, "ac1"), ranged(row, "sensitivity"), ranged(row, "specificity"),
                ranged({"y": j, "y_ci95": (low, high)}, "y", True), rates, verdict(row)]) + " |")
lines += ["", "## What made them", "", "| judge | labels | rows | seed | configuration | data |", "|---|---|--:|--:|---|---|"]
for result in results:
    data = ", ".join(f"{name} `{digest[:16]}`" for name, digest in result["data"].items())
    lines.append(f"| {result['judge']} | {result['dataset']} | {result['rows']} | {result['seed']} "
                 f"| `{result['judge_config'][:16]}` | {data} |")
lines += ["", "Configurations and data are the beginnings of SHA-256; the same configuration judges the same way."]
pathlib.Path(out).write_text("\n".join(lines) + "\n")
PAGE
echo "wrote $out"
