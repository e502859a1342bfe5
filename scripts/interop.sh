#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Real clients on our files: transformers, PEFT, mlx-lm and llama.cpp load what lem writes and give the same
# greedy text. Installs them into virtual environments of its own ($LEM_VENVS, else ~/.cache/lem/venvs) and writes
# docs/interop.md.
set -euo pipefail
cd "$(dirname "$0")/.."

venvs=${LEM_VENVS:-${LEM_HOME:-$HOME/.cache/lem}/venvs}
work=${LEM_INTEROP_WORK:-build/interop}
lem=${LEM_PROGRAM:-build/release/lem}
mkdir -p "$venvs" "$work"

environment() { # environment NAME PACKAGE...
  local folder=$venvs/$1
  shift
  if [ ! -x "$folder/bin/python" ]; then python3 -m venv "$folder"; fi
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}
environment hf torch transformers peft safetensors gguf sentencepiece protobuf
environment mlx "mlx[cpu]" mlx-lm
environment llama xllamacpp

"$venvs/hf/bin/python" scripts/interop.py --lem "$lem" --venvs "$venvs" --work "$work" --out docs/interop.md "$@"
