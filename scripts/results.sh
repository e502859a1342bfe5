#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# The recorded results of one model: base, LEK (ethics), and LEK + composure, trained with several seeds, all answering
# the small suite; scored, compared over seeds, and kept compactly in benchmarks/results/MODEL with the report of them. Fills
# the results section of paper/PAPER.md from what lies there. Kill it and run it again: it goes on.
#
#   scripts/results.sh [--model smollm2-135m-instruct|gemma-3-270m|PATH] [--seeds 0,1,2] [--composure-seeds 0,1]
#                      [--items N] [--iters N] [--max-tokens N] [--threads N] [--work FOLDER] [--results FOLDER] [--paper FILE]
#
#   --composure-seeds LIST  of the seeds, those whose LEK composure goes on from (default: all)
#   --items N       only the first N items of each task (0: all; every table then says "subset")
#   --max-tokens N  length limit of answers (0: the tasks' own)
#   --threads N     threads of trainings and answers (0: all cores)
#   --work FOLDER   adapters and the full run (default build/results)
#   --paper FILE    "" leaves the paper alone
# $LEM names the program (default build/release/lem).
set -euo pipefail
cd "$(dirname "$0")/.."

model=smollm2-135m-instruct seeds=0,1,2 composure_seeds= items=0 iters=200 max_tokens=0 threads=0
work=build/results results=benchmarks/results paper=paper/PAPER.md
while [ $# -gt 0 ]; do
  case "$1" in
    --model) model=$2; shift 2 ;;
    --seeds) seeds=$2; shift 2 ;;
    --composure-seeds) composure_seeds=$2; shift 2 ;;
    --items) items=$2; shift 2 ;;
    --iters) iters=$2; shift 2 ;;
    --max-tokens) max_tokens=$2; shift 2 ;;
    --threads) threads=$2; shift 2 ;;
    --work) work=$2; shift 2 ;;
    --results) results=$2; shift 2 ;;
    --paper) paper=$2; shift 2 ;;
    -h|--help) sed -n '3,16p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) echo "results.sh: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
done

lem=${LEM:-build/release/lem}
name=$(basename "${model%.gguf}")
folder=$work/$name run=$work/$name/$name kept=$results/$name
IFS=, read -r -a seed_list <<< "$seeds"
composure_seeds=${composure_seeds:-$seeds}
IFS=, read -r -a composure_list <<< "$composure_seeds"
steps=$((2 + 2 * ${#seed_list[@]} + 2 * ${#composure_list[@]})) step=0
begin=$(date +%s)
say() { step=$((step + 1)); printf '\n== [%d/%d] %s   [%d s]\n' "$step" "$steps" "$*" $(($(date +%s) - begin)); }
mkdir -p "$folder" "$kept"
if [ ! -e "$model" ]; then "$lem" pull "$model"; fi

# A folder belongs to its settings: other ones begin anew elsewhere.
settings="model=$model iters=$iters items=$items max_tokens=$max_tokens"
if [ -e "$folder/settings" ] && [ "$(cat "$folder/settings")" != "$settings" ]; then
  echo "results.sh: $folder holds results of other settings ($(cat "$folder/settings")); remove it or give another --work" >&2
  exit 2
fi
printf '%s\n' "$settings" > "$folder/settings"

train() { # train ADAPTER DATA ITERS RATE SEED [FLAG...]
  if [ -e "$1/complete" ]; then return; fi
  rm -rf "$1"  # a part of a training is made again: the same seed gives the same adapter
  "$lem" train --model "$model" --train --data "$2" --mask assistant --iters "$3" --learning-rate "$4" --batch-size 2 \
    --num-layers 16 --val-batches -1 --steps-per-eval "$3" --steps-per-report 20 --seed "$5" --threads "$threads" --adapter-path "$1" \
    "${@:6}"
  touch "$1/complete"
}
answer() { # answer NAME [FLAG...]: kept answers are not made again
  local flags=()
  if [ "$items" -gt 0 ]; then flags+=(--limit "$items"); fi
  if [ "$max_tokens" -gt 0 ]; then flags+=(--max-tokens "$max_tokens"); fi
  "$lem" bench --suite small --model "$model" --name "$1" --out "$run" --threads "$threads" "${flags[@]}" "${@:2}"
}

say "answers of base"
answer base
ethics='' composure='' went_on_from='' added=''
for seed in "${seed_list[@]}"; do
  say "training ethics, seed $seed"
  train "$folder/ethics-s$seed" training "$iters" 1e-4 "$seed"
  say "answers of ethics-s$seed"
  answer "ethics-s$seed" --adapter-path "$folder/ethics-s$seed"
  ethics+=${ethics:+,}ethics-s$seed
  if [[ ,$composure_seeds, != *,$seed,* ]]; then continue; fi
  say "training composure, seed $seed"
  train "$folder/composure-s$seed" training/composure $((iters / 5 > 0 ? iters / 5 : 1)) 5e-5 "$seed" \
    --resume-adapter-file "$folder/ethics-s$seed/adapters.safetensors"
  say "answers of composure-s$seed"
  answer "composure-s$seed" --adapter-path "$folder/composure-s$seed"
  composure+=${composure:+,}composure-s$seed went_on_from+=${went_on_from:+,}ethics-s$seed
  added+=${added:+,}ethics-s$seed:composure-s$seed
done

say "scores and reports"
"$lem" score "$run" > /dev/null
over_seeds=(--seeds "base:LEK=$ethics" --seeds "base:LEK + composure=$composure" \
  --seeds "LEK=$went_on_from:LEK + composure=$composure")
# Two families: what training did to the base, and what composure added to the LEK of its own seed.
pairs=(--pairs "base:${ethics//,/,base:},base:${composure//,/,base:}" --pairs "$added")
title="LEK on $name"
"$lem" report "$run" --markdown "$kept/report.md" --title "$title" "${over_seeds[@]}" "${pairs[@]}"
"$lem" report "$run" --html "$folder/report.html" --title "$title" "${over_seeds[@]}" "${pairs[@]}"
"$lem" report --recheck "$folder/report.html"
"$lem" report "$run" --markdown "$kept/summary.md" --title "$title" "${over_seeds[@]}" --brief
python3 - "$run/run.json" "$kept/run.json" <<'COMPACT'
import json, pathlib, sys
run = json.loads(pathlib.Path(sys.argv[1]).read_text())
for model in run["models"].values():  # hashes say which files they were; where they lay is nobody's business
    for key in ("path", "adapter_path"):
        if model.get(key):
            model[key] = pathlib.PurePath(model[key]).name
pathlib.Path(sys.argv[2]).write_text(json.dumps(run, indent=1) + "\n")
COMPACT
for file in samples scores; do gzip -9 -n -c "$run/$file.jsonl" > "$kept/$file.jsonl.gz"; done
rm -f "$kept/report.html"
if [ "$(stat -c %s "$folder/report.html")" -lt 1500000 ]; then cp "$folder/report.html" "$kept/report.html"; fi
printf '%s\n' "$settings seeds=$seeds composure_seeds=$composure_seeds" > "$kept/settings.txt"
du -sh "$kept"

if [ -n "$paper" ]; then
  python3 - "$paper" "$results" <<'FILL'
import pathlib, re, sys
paper, results = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
begin, end = "<!-- lem:results:begin -->", "<!-- lem:results:end -->"
text = paper.read_text()
if text.count(begin) != 1 or text.count(end) != 1:
    sys.exit(f"results.sh: {paper}: expected one pair of {begin} and {end}")
parts = [re.sub(r"^(#+) ", r"##\1 ", file.read_text(), flags=re.M).strip()
         for file in sorted(results.glob("*/summary.md"))]
head, tail = text[:text.index(begin)], text[text.index(end):]
paper.write_text(head + begin + "\n" + "\n\n".join(parts) + "\n" + tail)
FILL
  echo "filled the results section of $paper"
fi
echo "kept in $kept; the page with all answers is $folder/report.html"
