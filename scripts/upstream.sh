#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# The original project's recorded answers and grades, scored again: its printed numbers recomputed, and our analysis
# of the same records (paired by item, Holm, intervals, four extractors) beside them.
#
#   scripts/upstream.sh [FOLDER] [OUT.md]
#
# FOLDER: the original's benchmarks folder (default: $LEM_DATA/../upstream/benchmarks).
# OUT.md: default benchmarks/results/upstream.md. $LEM names the program (default build/release/lem).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
case "${1:-}" in -h|--help) sed -n '3,10p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;; esac
from=${1:-${LEM_DATA:+$LEM_DATA/../upstream/benchmarks}}
out=${2:-$root/benchmarks/results/upstream.md}
lem=${LEM:-$root/build/release/lem}
if [ ! -d "${from:-}" ]; then
  echo "upstream.sh: expected the original's benchmarks folder, found ${from:-nothing}; give it as the first argument" >&2
  exit 2
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
run=$folder/upstream
"$lem" import --format lem --from "$from" --to "$run" > /dev/null
"$lem" score "$run" > /dev/null
mkdir -p "$(dirname "$out")"
family=truthfulqa.truthfulness,truthfulqa.informativeness,do_not_answer.safety,do_not_answer.nuance
family+=,toxigen.kindness,toxigen.awareness,gsm8k.lem,gsm8k.final,ethics.composite,ethics.dimensions
"$lem" report "$run" --markdown "$out" \
  --title "The original's records, recomputed and analysed again" \
  --preface "$root/benchmarks/upstream/preface.md" --published "$root/benchmarks/upstream/published.jsonl" \
  --family "$family" \
  --pairs instruction_tuned:lem_ethics,instruction_tuned:lem_ethics_allen \
  --pairs instruction_tuned:abliterated \
  --pairs 1b_it:1b_lek,4b_it:4b_lek,12b_it:12b_lek,27b_it:27b_lek \
  --pairs instruction_tuned:1b_it,lem_ethics:1b_lek
