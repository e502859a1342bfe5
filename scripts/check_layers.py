#!/usr/bin/env python3
# SPDX-License-Identifier: EUPL-1.2
"""Fails if a file in src/ includes a layer that its own may not use, or breaks a rule of the tree."""
import pathlib
import re
import sys

USES = {
    "base": [],
    "tensor": ["base"],
    "stats": ["base"],
    "formats": ["base", "tensor"],
    "tokenizer": ["base", "formats"],
    "judge": ["base", "formats"],
    "lek": ["base", "formats"],
    "backend": ["base", "tensor"],
    "ops": ["base", "tensor", "backend"],
    "model": ["base", "tensor", "backend", "formats", "ops"],
    "pipelines": ["base", "tensor", "stats", "formats", "tokenizer", "judge", "lek", "backend",
                  "ops", "model"],
    "cli": ["base", "formats", "pipelines"],  # formats: for --json
}
# Pipelines are commands; the files beside their folders are what they share.
PRINTS = re.compile(r"\bstd::(cout|cerr)\b|\bv?printf\s*\(|\bputs\s*\(|\bstd::exit\s*\(|[^_.\w]exit\s*\(")
THIRD_PARTY = re.compile(r"#include <(nlohmann|CLI|yaml-cpp|fmt|httplib|sqlite3|pcre2|curl|openssl)")

src = pathlib.Path(__file__).parents[1] / "src"
bad = 0
types = {}  # a type outside unnamed namespaces -> the header that defines it


def report(path, number, message):
    global bad
    print(f"{path.relative_to(src.parent)}:{number}: {message}")
    bad += 1


for path in sorted(p for p in src.rglob("*") if p.suffix in {".h", ".cc", ".inl"}):
    parts = path.relative_to(src).parts
    layer = parts[0]
    text = path.read_text()
    if not text.isascii():
        report(path, 1, "only ASCII in source")
    if "SPDX-License-Identifier: EUPL-1.2" not in text.split("\n", 3)[0]:
        report(path, 1, "the first line must be the SPDX line")
    namespaces = []
    for number, line in enumerate(text.splitlines(), 1):
        code = line.split("//")[0]
        # Two types of one name in one program are silently merged by the linker.
        if m := re.match(r"namespace\s*([\w:]*)\s*\{", line):
            namespaces.append(m[1])
        elif re.match(r"}\s*// namespace", line) and namespaces:
            namespaces.pop()
        elif (m := re.match(r"(?:class|struct) (\w+)(?: final)?(?: : [^;]*)? \{", line)) and "" not in namespaces:
            name = "::".join(namespaces + [m[1]])
            if name in types and types[name] != path:
                report(path, number, f"{name} is also defined in {types[name].relative_to(src.parent)}")
            types[name] = path
        if m := re.match(r'#include "(\w+)/(?:(\w+)/)?', line):
            if m[1] != layer and m[1] not in USES[layer]:
                report(path, number, f"{layer}/ may not include {m[1]}/")
            if layer == m[1] == "pipelines" and len(parts) > 2 and m[2] and m[2] != parts[1]:
                report(path, number, f"pipelines/{parts[1]} may not include pipelines/{m[2]}")
        if path.suffix == ".h" and THIRD_PARTY.match(line):
            report(path, number, "third-party types do not appear in headers")
        if layer != "cli" and path.name != "check.h" and PRINTS.search(code):
            report(path, number, "only cli/ prints or exits")
        if layer != "backend" and re.search(r"immintrin|_mm\d*_", code):
            report(path, number, "intrinsics belong to backend/")
sys.exit(bad > 0)
