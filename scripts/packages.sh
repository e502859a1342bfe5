#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Installs what the build needs on Debian 12 (and its relatives); does nothing when all of it is there.
set -euo pipefail

packages=(g++ cmake ninja-build git pkg-config python3 python3-pip ca-certificates libdnnl-dev libcli11-dev
  nlohmann-json3-dev libyaml-cpp-dev libfmt-dev libpcre2-dev libutf8proc-dev libcurl4-openssl-dev
  libcpp-httplib-dev libsqlite3-dev libssl-dev libboost-math-dev)
tests=(libgtest-dev librapidcheck-dev libbenchmark-dev clang libclang-rt-14-dev)
if [ "${1:-}" = --tests ]; then packages+=("${tests[@]}"); fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

if ! command -v apt-get >/dev/null; then
  echo "packages.sh: this system has no apt-get; install by hand: ${missing[*]}" >&2
  exit 1
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then sudo=(sudo); fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
