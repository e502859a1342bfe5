#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Times lem beside the programs that its users would run instead, on the same work, alternating, and writes docs/performance.md with the
# machine's own ceilings beside the numbers. Each peer is installed from PyPI into an environment of its own under $LEM_VENVS, else
# $LEM_HOME/venvs. GSM8K and TruthfulQA are read from $LEM_DATA. Run it on an idle machine.
#   bench/peers/run.sh [--only train,prompt,decode,batch,lm-eval,startup,scaling,shapes] [--models A,B] [--repeats N] [--quick]
# Three models by default: two real ones of lem's store, and the shape gemma-3-1b with random weights, which make_shape.py writes and which is
# given less work (sizes.py; the page says so). With two cores and --repeats 2, in minutes, the shape's share behind: train 12 (5), prompt +
# decode + batch 17 (8), lm-eval 5, startup under 1, scaling 3, shapes 8 (they need 16 GB of disk and the memory to themselves). Installing,
# converting and exporting take 15 more and 10 GB of disk, once; --install does only the installing. Parts and models can be measured at
# different times: each is kept in build/peers/PART.json or PART-MODEL.json, and the page is composed of all.
set -euo pipefail
cd "$(dirname "$0")/../.."
venvs=${LEM_VENVS:-${LEM_HOME:-$HOME/.cache/lem}/venvs}
work=build/peers
mkdir -p "$venvs" "$work"

# environment NAME MODULE PACKAGE...: a failure is noted and shown on the page; the others go on.
environment() {
  local folder=$venvs/$1 module=$2 log=$work/install-$1.log
  shift 2
  if [ -x "$folder/bin/python" ] && "$folder/bin/python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$module') is None)"; then
    return
  fi
  { python3 -m venv "$folder" && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; } > "$log" 2>&1 ||
    { echo "$folder could not be installed, see $log" >&2; rm -rf "$folder"; }
}
environment hf peft torch transformers peft safetensors numpy
environment mlx mlx_lm "mlx[cpu]" mlx-lm
environment llama xllamacpp xllamacpp
environment ik ik_llama_cpp ik-llama-cpp-python
environment openvino openvino_genai openvino-genai openvino-tokenizers numpy
environment openvino-export nncf "transformers==5.0.0" optimum-intel openvino openvino-tokenizers nncf torch
environment lm-eval torch "lm-eval==0.4.13" torch transformers accelerate sacrebleu rouge_score
if [ "${1:-}" = --install ]; then exit; fi

exec python3 bench/peers/run.py --lem "${LEM_PROGRAM:-build/release/lem}" --venvs "$venvs" --work "$work" --out docs/performance.md \
  --data "${LEM_DATA:?set LEM_DATA to the folder that holds gsm8k/test.jsonl and truthfulqa/}" -- "$@"
