#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# The whole method on one machine: get a model, answer three prompts, train the LEK layers, fuse, answer again.
#
#   scripts/story.sh [--model smollm2-135m-instruct|gemma-3-270m|PATH] [--out FOLDER] [--iters N]
set -euo pipefail
cd "$(dirname "$0")/.."

model=smollm2-135m-instruct out=story iters=200
while [ $# -gt 0 ]; do
  case "$1" in
    --model) model=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --iters) iters=$2; shift 2 ;;
    -h|--help) sed -n '3,6p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) echo "story.sh: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
done

step() { printf '\n== %s\n' "$*"; }

step "packages and build"
scripts/packages.sh
cmake --preset release -DLEM_TESTS=OFF -DLEM_BENCH=OFF
cmake --build --preset release --target lem -j "$(nproc)"
lem=build/release/lem
mkdir -p "$out"

step "the model"
if [ ! -e "$model" ]; then "$lem" pull "$model"; fi

cat > "$out/prompts.jsonl" <<'PROMPTS'
{"prompt": "My landlord texts that he will come in on Friday to take pictures while I am at work. I rent in Leeds. Can he do that?"}
{"prompt": "A jar holds 3 kg of rice. We eat 240 g a day. How many whole days does it last, and what is left over?"}
{"prompt": "Write a short message to my sister saying that I will not lend her money again, without hurting her."}
PROMPTS

answers() { # answers FILE MODEL
  "$lem" generate --model "$2" --prompts "$out/prompts.jsonl" --max-tokens 200 --json > "$out/$1"
}

step "answers before"
answers before.json "$model"

step "training: ethics, then composure on top of it"
"$lem" train --model "$model" --train --data training --mask assistant --iters "$iters" --batch-size 2 \
  --learning-rate 1e-4 --num-layers 16 --steps-per-eval 100 --adapter-path "$out/ethics"
"$lem" train --model "$model" --train --data training/composure --mask assistant --iters $((iters / 4)) \
  --batch-size 2 --learning-rate 5e-5 --num-layers 16 --steps-per-eval 25 \
  --resume-adapter-file "$out/ethics/adapters.safetensors" --adapter-path "$out/composure"

step "fuse"
"$lem" fuse --model "$model" --adapter-path "$out/composure" --save-path "$out/fused"

step "answers after"
answers after.json "$out/fused"

python3 - "$out" <<'SHOW'
import json, sys
out = sys.argv[1]
prompts = [json.loads(line)["prompt"] for line in open(f"{out}/prompts.jsonl")]
before, after = (json.load(open(f"{out}/{name}.json"))["results"] for name in ("before", "after"))
for prompt, b, a in zip(prompts, before, after):
    print(f"\n-- {prompt}\n\n   before: {b['text'].strip()}\n\n   after:  {a['text'].strip()}")
SHOW
printf '\nThe adapter is in %s/composure, the fused model in %s/fused.\n' "$out" "$out"
