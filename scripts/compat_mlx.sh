#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# `lem train --compat mlx-lm` beside the real mlx-lm: initial adapters to the bit, token counts, losses within
# 1e-3 over twenty iterations, and each program's greedy text with the other's adapter and fused folder. Without
# arguments (model files or folders) it takes the two test models in $LEM_TEST_MODELS and writes docs/compat.md.
# mlx-lm is installed into a virtual environment under $LEM_VENVS, else ~/.cache/lem/venvs. Slow: mlx's CPU build
# multiplies on one core by reference BLAS.
set -euo pipefail
cd "$(dirname "$0")/.."

venvs=${LEM_VENVS:-${LEM_HOME:-$HOME/.cache/lem}/venvs}
lem=$(realpath "${LEM_PROGRAM:-build/release/lem}")
work=${LEM_COMPAT_WORK:-build/compat-mlx}
models=${LEM_TEST_MODELS:-${LEM_HOME:-$HOME/.cache/lem}/models}
mkdir -p "$venvs" "$work"

python=$venvs/venv-mlx/bin/python
if [ ! -x "$python" ]; then python3 -m venv "$venvs/venv-mlx"; fi
if ! "$python" -c "import mlx_lm" 2> /dev/null; then
  "$python" -m pip install --quiet --disable-pip-version-check "mlx[cpu]==0.32.4" "mlx-lm==0.32.2"
fi

if [ $# -eq 0 ]; then
  set -- --write docs/compat.md "$models/smollm2-135m-instruct.q4_1.gguf" "$models/gemma-3-270m.q4_k_m.gguf"
fi
"$python" scripts/compat_mlx.py --lem "$lem" --work "$work" --iters "${LEM_COMPAT_ITERS:-20}" "$@"
