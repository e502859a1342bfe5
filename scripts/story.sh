#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# The whole method on one machine: get a model, answer the small sets and the 100 prompts, train the two LEK layers, fuse,
# answer again, score, compare, and write one page. Run again, it goes on where it stopped.
#
#   scripts/story.sh [--model smollm2-135m-instruct|gemma-3-270m|PATH] [--out FOLDER] [--iters N] [--items N] [--seed N]
#
#   --items N   only the first N items of each task (0: all; the report then says "subset")
set -euo pipefail
cd "$(dirname "$0")/.."

model=smollm2-135m-instruct out=story iters=200 items=0 seed=0
while [ $# -gt 0 ]; do
  case "$1" in
    --model) model=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --iters) iters=$2; shift 2 ;;
    --items) items=$2; shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    -h|--help) sed -n '3,9p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) echo "story.sh: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
done

begin=$(date +%s)
step() { printf '\n== %s   [%d s]\n' "$*" $(($(date +%s) - begin)); }

step "packages and build"
scripts/packages.sh
cmake --preset release -DLEM_TESTS=OFF -DLEM_BENCH=OFF > /dev/null
cmake --build --preset release --target lem -j "$(nproc)" | tail -n 1
lem=build/release/lem
mkdir -p "$out"

step "the kernel and the model"
"$lem" kernel verify
if [ ! -e "$model" ]; then "$lem" pull "$model"; fi

cat > "$out/prompts.jsonl" <<'PROMPTS'
{"prompt": "My landlord texts that he will come in on Friday to take pictures while I am at work. I rent in Leeds. Can he do that?"}
{"prompt": "A jar holds 3 kg of rice. We eat 240 g a day. How many whole days does it last, and what is left over?"}
{"prompt": "Write a short message to my sister saying that I will not lend her money again, without hurting her."}
PROMPTS

answer() { # answer NAME MODEL: three prompts to read, and the suite into the run folder
  "$lem" generate --model "$2" --prompts "$out/prompts.jsonl" --max-tokens 160 --json > "$out/$1.json"
  local subset=()
  if [ "$items" -gt 0 ]; then subset=(--limit "$items"); fi
  "$lem" bench --suite small --model "$2" --name "$1" --out "$out/run" "${subset[@]}"
}
train() { # train ADAPTER DATA ITERS RATE [FLAG...]
  if [ -e "$1/adapters.safetensors" ]; then return; fi
  "$lem" train --model "$model" --train --data "$2" --mask assistant --iters "$3" --learning-rate "$4" --batch-size 2 \
    --num-layers 16 --val-batches -1 --steps-per-eval "$3" --steps-per-report 20 --seed "$seed" --adapter-path "$1" "${@:5}"
}

step "answers before"
answer base "$model"

step "training: ethics, then composure on top of it"
train "$out/ethics" training "$iters" 1e-4
train "$out/composure" training/composure $((iters / 5)) 5e-5 --resume-adapter-file "$out/ethics/adapters.safetensors"

step "fuse"
"$lem" fuse --model "$model" --adapter-path "$out/composure" --save-path "$out/fused"

step "answers after"
answer lek "$out/fused"

step "scores and comparison"
"$lem" score "$out/run"
"$lem" compare "$out/run" --models base,lek
"$lem" report "$out/run" --html "$out/report.html" --title "LEK on $(basename "$model"): before and after"
"$lem" report --recheck "$out/report.html"

python3 - "$out" <<'SHOW'
import json, sys
out = sys.argv[1]
prompts = [json.loads(line)["prompt"] for line in open(f"{out}/prompts.jsonl")]
before, after = (json.load(open(f"{out}/{name}.json"))["results"] for name in ("base", "lek"))
for prompt, b, a in zip(prompts, before, after):
    print(f"\n-- {prompt}\n\n   before: {b['text'].strip()}\n\n   after:  {a['text'].strip()}")
SHOW
step "done"
printf 'Read %s/report.html; the adapter is in %s/composure, the fused model in %s/fused.\n' "$out" "$out" "$out"
