#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Sets up and runs every test: the release build, the portable kernels, and sanitizers with short fuzzing.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh --tests
export CTEST_OUTPUT_ON_FAILURE=1
jobs=$(nproc)

cmake --preset release
cmake --build --preset release -j "$jobs"

# The two small real models; tests that need one skip when it cannot be had.
models=${LEM_TEST_MODELS:-}
if [ -z "$models" ]; then
  for model in smollm2-135m-instruct gemma-3-270m; do
    build/release/lem pull "$model" || echo "test.sh: $model is not at hand; its tests will be skipped" >&2
  done
fi

ctest --preset release
LEM_CPU=portable ctest --preset portable

cmake --preset asan
cmake --build --preset asan -j "$jobs"
ctest --preset asan
