#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Times lem beside transformers + PEFT on the same rows, alternating, and writes docs/performance.md with the machine's ceilings beside
# the numbers. GSM8K's test.jsonl is read from $LEM_DATA/gsm8k. Run it on an idle machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
venvs=${LEM_VENVS:-${LEM_HOME:-$HOME/.cache/lem}/venvs}
if [ ! -x "$venvs/hf/bin/python" ]; then python3 -m venv "$venvs/hf"; fi
"$venvs/hf/bin/python" -m pip install --quiet --disable-pip-version-check torch transformers peft safetensors
# Environments sometimes pin a BLAS kernel for older programs; that would slow the peer.
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE "$venvs/hf/bin/python" bench/peers/run.py --lem "${LEM_PROGRAM:-build/release/lem}" \
  --data "${LEM_DATA:?set LEM_DATA to the folder that holds gsm8k/test.jsonl}" --out docs/performance.md "$@"
