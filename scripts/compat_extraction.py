#!/usr/bin/env python3
# SPDX-License-Identifier: EUPL-1.2
"""gsm8k.strict, gsm8k.flexible and gsm8k.lem against their originals, string by string.

Run it with a python that has lm-eval (pip install lm-eval==0.4.13):
    python scripts/compat_extraction.py --lem build/release/lem [--data DATASETS]
Invents hostile strings (seeded), adds the recorded solutions of GSM8K where DATASETS holds them, gives all to
`lem import` and `lem score`, and the same strings to lm-eval's own filters and metric, and to a
transcription of the original project's rule. Prints the number of differences and exits 1 if there is any.
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.filters.extraction import RegexFilter

STRICT = RegexFilter(r"#### (\-?[0-9\.\,]+)")
FLEXIBLE = RegexFilter(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", group_select=-1)
IGNORED = [",", "\\$", "(?s).*#### ", "\\.$"]

HARD = ["#### 18", "#### $18", "#### **18**", "So she makes $18 every day.", "The answer is **18**.",
        "\\boxed{18}", "18 dollars, thanks!", "The answer is 18... hope that helps...",
        "Final answer: $18.00", "#### 18 dollars per day, or 126 per week", "\u221218", "18/1",
        "...is 18\n\nQuestion: Tom has 5 apples", "#### ", "####18", "#### -", "#### -5",
        "#### 1,800.", "so 12 , then", "#### 50.", "####.", "#### ,", "#### 1.2.3", "$70", "= .5",
        "#### 5 wait #### 6", "####\n72", "ERROR: x 18", "#### \uff11\uff18", "= \u0661\u0668",
        "a\u00a018", "- 5", "=-5", "[invalid]", ""]
PIECES = list("0123456789.,$-# \n=A") + ["####", "#### ", "\u0661", "\uff15", "\u2003", "\x1c", "."]


def strings(data):
    rows = [(answer, gold) for answer in HARD for gold in ("18", "-18", "1,800", "50", "5", "")]
    rng = random.Random(1)
    for _ in range(20000):
        answer = "".join(rng.choice(PIECES) for _ in range(rng.randint(0, 25)))
        rows.append((answer, "".join(rng.choice("0123456789.,-") for _ in range(rng.randint(0, 5)))))
    path = pathlib.Path(data) / "gsm8k" / "example_model_solutions.jsonl" if data else None
    if path and path.exists():
        for line in path.read_text().splitlines():
            row = json.loads(line)
            gold = row["ground_truth"].split("A: ")[-1]
            rows += [(row[k]["solution"], gold) for k in row if isinstance(row[k], dict)]
    return rows


def harness(flt, answer, gold):
    text = flt.apply([[answer]], [{}])[0][0]
    return float(exact_match_hf_evaluate(predictions=[text], references=[gold],
                                         regexes_to_ignore=IGNORED, ignore_case=True)["exact_match"])


def original(answer, gold):
    if not answer or answer.startswith("ERROR"):
        return 0.0
    match = re.search(r"####\s*([\d,.-]+)", answer)
    found = [match.group(1)] if match else re.findall(r"(?:^|[\s=])(-?[\d,]+(?:\.\d+)?)", answer)
    if not found:
        return 0.0
    text = found[-1].replace(",", "").strip()
    try:
        return float(abs(float(gold.replace(",", "")) - float(text)) < 0.01)
    except ValueError:
        return float(text.strip() == gold.strip())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lem", required=True)
    parser.add_argument("--data")
    args = parser.parse_args()
    rows = strings(args.data)
    with tempfile.TemporaryDirectory() as folder:
        answers = pathlib.Path(folder) / "answers.jsonl"
        answers.write_text("".join(json.dumps(
            {"task": "gsm8k", "item": i, "model": "m", "question": "", "reference": gold,
             "response": answer}) + "\n" for i, (answer, gold) in enumerate(rows)))
        run = str(pathlib.Path(folder) / "run")
        subprocess.run([args.lem, "import", "--format", "answers", "--from", str(answers), "--to",
                        run, "--json"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([args.lem, "score", run, "--json"], check=True, stdout=subprocess.DEVNULL)
        ours = {}
        for line in (pathlib.Path(run) / "scores.jsonl").read_text().splitlines():
            score = json.loads(line)
            ours[score["metric"], int(score["item"])] = score["value"]
    wrong = 0
    for metric, rule in (("gsm8k.strict", lambda a, g: harness(STRICT, a, g)),
                         ("gsm8k.flexible", lambda a, g: harness(FLEXIBLE, a, g)),
                         ("gsm8k.lem", original)):
        different = [i for i, (a, g) in enumerate(rows) if ours[metric, i] != rule(a, g)]
        print(f"{metric}: {len(rows)} strings, {len(different)} differences")
        for i in different[:5]:
            print("  ", repr(rows[i]), ours[metric, i])
        wrong += len(different)
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
