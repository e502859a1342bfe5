#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Fuzzes every reader for SECONDS each (default 600), growing a corpus under build/asan/fuzz.
#   scripts/fuzz.sh [SECONDS] [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
shift || true
cmake --preset asan
cmake --build --preset asan -j "$(nproc)"
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for program in build/asan/fuzz/*_fuzz; do targets+=("$(basename "$program")"); done
fi
for target in "${targets[@]}"; do
  corpus=${target%_fuzz}
  mkdir -p "build/asan/fuzz/found_$corpus"
  echo "== $target, $seconds s"
  "build/asan/fuzz/$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
    "build/asan/fuzz/found_$corpus" "fuzz/corpus/$corpus"
done
