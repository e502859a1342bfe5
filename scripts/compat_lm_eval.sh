#!/bin/bash
# SPDX-License-Identifier: EUPL-1.2
# TruthfulQA MC1 and MC2 by lm-evaluation-harness and by lem, on the same real model in float32 and
# the same questions: every choice's log-likelihood side by side, and both times end to end.
#   scripts/compat_lm_eval.sh MODEL [QUESTIONS] [OUT.json]
# MODEL: a .gguf file or a folder. The data folder is $LEM_DATA. Installs the harness into
# $LEM_PEERS/lm-eval (default build/peers), unless $LEM_EVAL_PYTHON names a python that has it.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
model=${1:?usage: scripts/compat_lm_eval.sh MODEL [QUESTIONS] [OUT.json]}
questions=${2:-25}
lem=${LEM:-$root/build/release/lem}
python=${LEM_EVAL_PYTHON:-}
if [ -z "$python" ]; then
  venv=${LEM_PEERS:-$root/build/peers}/lm-eval
  [ -x "$venv/bin/lm_eval" ] || {
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'lm-eval==0.4.13' torch transformers accelerate sacrebleu rouge_score
  }
  python=$venv/bin/python
fi
exec "$python" "$root/scripts/compat_lm_eval.py" --lem "$lem" --model "$model" \
  --questions "$questions" ${3:+--out "$3"}
