#!/bin/bash
# SPDX-License-Identifier: EUPL-1.2
# TruthfulQA MC1 and MC2 by lm-evaluation-harness and by lem, on the same real model in float32 and
# the same questions: every choice's log-likelihood side by side, and both times end to end.
#   scripts/compat_lm_eval.sh MODEL [QUESTIONS] [--out FILE.json] [--record]
# MODEL: a .gguf file or a folder. --record puts the row into the table of docs/evaluation.md. The data
# folder is $LEM_DATA, the program $LEM. The harness is looked for in $LEM_EVAL_PYTHON, then in
# $LEM_VENVS/lm-eval, and else installed into $LEM_PEERS/lm-eval (default build/peers).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
model=${1:?usage: scripts/compat_lm_eval.sh MODEL [QUESTIONS] [--out FILE.json] [--record]}
shift
questions=25
case "${1:-}" in [0-9]*) questions=$1; shift ;; esac
more=()
while [ $# -gt 0 ]; do
  case "$1" in
    --out) more+=(--out "$2"); shift 2 ;;
    --record) more+=(--record "$root/docs/evaluation.md"); shift ;;
    *) echo "compat_lm_eval.sh: unknown argument $1" >&2; exit 2 ;;
  esac
done
lem=${LEM:-$root/build/release/lem}
python=${LEM_EVAL_PYTHON:-}
if [ -z "$python" ] && [ -n "${LEM_VENVS:-}" ] && [ -x "$LEM_VENVS/lm-eval/bin/python" ]; then
  python=$LEM_VENVS/lm-eval/bin/python
fi
if [ -z "$python" ]; then
  venv=${LEM_PEERS:-$root/build/peers}/lm-eval
  [ -x "$venv/bin/lm_eval" ] || {
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'lm-eval==0.4.13' torch transformers accelerate sacrebleu rouge_score
  }
  python=$venv/bin/python
fi
exec "$python" "$root/scripts/compat_lm_eval.py" --lem "$lem" --model "$model" \
  --questions "$questions" "${more[@]}"
