#!/usr/bin/env python3
# SPDX-License-Identifier: EUPL-1.2
"""Checks the evaluation sets in benchmarks/: ids, counts, coverage, arithmetic, balance, twins.

Usage: check_benchmarks.py [FOLDER]. Prints one line per set; exit 1 if anything is wrong.
Arithmetic is evaluated in exact fractions, so a wrong step cannot hide behind rounding.
"""

import ast
import collections
import json
import math
import pathlib
import re
import sys
from fractions import Fraction

KINDS = {"myth", "counter-myth", "plain"}
CATEGORIES = {
    "science", "history", "health", "law", "language",
    "food", "technology", "animals", "geography", "money",
}
HARM_TYPES = {
    "personal-privacy": "information-hazards",
    "organisation-secrets": "information-hazards",
    "illegal-activities": "malicious-uses",
    "unethical-actions": "malicious-uses",
    "disinformation": "malicious-uses",
    "social-stereotypes": "discrimination-toxicity",
    "toxic-language": "discrimination-toxicity",
    "adult-content": "discrimination-toxicity",
    "false-information": "misinformation-harms",
    "material-harm": "misinformation-harms",
    "overreliance-crisis": "chatbot-interaction",
    "treat-as-human": "chatbot-interaction",
}
EXPECTATIONS = {"refuse", "redirect", "answer-with-care"}
GROUPS = {
    "women", "lgbtq", "mental_dis", "black", "chinese", "asian", "native_american",
    "middle_east", "muslim", "physical_dis", "mexican", "jewish", "latino",
}
TONES = {"neutral", "warm", "tense"}

# Numbers a solver brings along: one, pairs, days, months, hours, minutes, percent, kilo.
CONVENTIONS = {Fraction(n) for n in (1, 2, 7, 12, 24, 60, 100, 1000)}
NUMBER_WORDS = {
    "one": 1, "two": 2, "twice": 2, "half": 2, "both": 2, "twin": 2, "three": 3, "third": 3,
    "thirds": 3, "four": 4, "quarter": 4, "quarters": 4, "five": 5, "fifth": 5, "six": 6,
    "seven": 7, "sevenths": 7, "eight": 8, "eighths": 8, "nine": 9, "ten": 10, "eleven": 11,
    "twelve": 12,
}
NEGATION = re.compile(
    r"\b(no|not|never|none|nothing|nobody|neither|nor|without|cannot|hardly|seldom)\b|n't", re.I)

MAX_MEAN_WORD_GAP = 1.0  # words; a reader cannot see less than one
MAX_NEGATION_GAP = 0.10  # share of answers that hold a negation, true against false
MAX_CUE_GAIN = 0.10  # what "always the longest" (or shortest) may win over guessing
MAX_OVERLAP = 0.5  # shared three-word sequences, of the shorter text's, within one set


class Problems:
    """Collects what is wrong, so that one run shows everything."""

    def __init__(self):
        self.lines = []

    def expect(self, condition, where, message):
        if not condition:
            self.lines.append(f"{where}: {message}")


def words(text):
    return re.findall(r"[a-z0-9']+", text.lower())


def ngrams(text, n):
    w = words(text)
    return {tuple(w[i:i + n]) for i in range(len(w) - n + 1)}


def load(path, keys, prefix, count, problems):
    """Reads a JSONL file whose rows have exactly `keys` and the ids prefix01, prefix02, ..."""
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        where = f"{path.parent.name}/{path.name}:{number}"
        try:
            row = json.loads(line.decode("ascii"))
        except ValueError as error:
            problems.expect(False, where, f"expected one JSON object in ASCII, found {error}")
            continue
        if not isinstance(row, dict) or set(row) != set(keys):
            problems.expect(False, where, f"expected exactly the keys {sorted(keys)}")
            continue
        empty = [k for k in keys if not row[k] or (isinstance(row[k], str) and not row[k].strip())]
        problems.expect(not empty, where, f"empty: {empty}")
        rows.append(row)
    width = 2 if count > 9 else 1
    expected = [f"{prefix}{i:0{width}d}" for i in range(1, count + 1)]
    found = [row["id"] for row in rows]
    problems.expect(found == expected, f"{path.parent.name}/{path.name}",
                    f"expected {count} ids, {expected[0]} to {expected[-1]}, found {len(found)}")
    return rows


def check_distinct(rows, key, problems):
    """No two texts of a set may be the same or nearly so; returns the largest overlap."""
    grams = [(row["id"], ngrams(row[key], 3)) for row in rows]
    worst = (0.0, "-", "-")
    for i, (a, ga) in enumerate(grams):
        for b, gb in grams[i + 1:]:
            share = len(ga & gb) / max(1, min(len(ga), len(gb)))
            worst = max(worst, (share, a, b))
            problems.expect(share <= MAX_OVERLAP, a, f"shares {share:.0%} of its wording with {b}")
    return f"nearest pair {worst[1]}/{worst[2]} {worst[0]:.2f}"


def check_spread(rows, key, allowed, low, high, problems):
    """Each allowed label occurs between `low` and `high` times, and no other label occurs."""
    counts = collections.Counter(row[key] for row in rows)
    for label in sorted(set(counts) | set(allowed)):
        problems.expect(label in allowed, key, f"unknown label '{label}'")
        problems.expect(low <= counts[label] <= high, key,
                        f"expected {low} to {high} items of '{label}', found {counts[label]}")
    return counts


# Arithmetic.

OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}
FUNCTIONS = {
    "ceil": lambda a: Fraction(math.ceil(a)),
    "floor": lambda a: Fraction(math.floor(a)),
    "lcm": lambda a, b: abs(a * b) / Fraction(math.gcd(int(a), int(b))),
}


def evaluate(text):
    """The exact value of an expression over decimal numbers, + - * / and FUNCTIONS."""

    def visit(node):
        if isinstance(node, ast.Constant):
            return Fraction(ast.get_source_segment(text, node))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -visit(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](visit(node.left), visit(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return FUNCTIONS[node.func.id](*(visit(a) for a in node.args))
        raise ValueError(f"not allowed in an expression: {ast.dump(node)}")

    return visit(ast.parse(text, mode="eval").body)


def numbers_in(text):
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    return {Fraction(n) for n in re.findall(r"\d+(?:\.\d+)?", plain)}


def numbers_given(question):
    spoken = {Fraction(NUMBER_WORDS[w]) for w in words(question) if w in NUMBER_WORDS}
    return numbers_in(question) | spoken


def check_steps(row, problems):
    """Every step is right, uses only what is known by then, and leads to the answer."""
    known = numbers_given(row["question"]) | CONVENTIONS
    steps = row["steps"]
    problems.expect(2 <= len(steps) <= 6, row["id"], f"expected 2 to 6 steps, found {len(steps)}")
    value = None
    for i, step in enumerate(steps):
        where = f"{row['id']} step {i + 1}"
        value, stated = evaluate(step["expr"]), evaluate(step["value"])
        problems.expect(value == stated, where, f"{step['expr']} is {value}, not {stated}")
        unknown = numbers_in(step["expr"]) - known
        problems.expect(not unknown, where, f"numbers from nowhere: {sorted(map(str, unknown))}")
        later = set().union(*(numbers_in(s["expr"]) for s in steps[i + 1:]))
        used = i + 1 == len(steps) or numbers_in(step["value"]) <= later
        problems.expect(used, where, f"the value {stated} is not used afterwards")
        known |= numbers_in(step["value"])
    problems.expect(value == evaluate(row["answer"]), row["id"],
                    f"the steps end in {value}, the answer is {row['answer']}")
    problems.expect(re.fullmatch(r"-?\d+(\.\d{1,2}|/\d{1,2})?", row["answer"]), row["id"],
                    "expected an integer, a short decimal or a short fraction as the answer")


def check_worked(row, problems):
    """A worked example: each 'a op b = c' holds and the last sentence states the answer."""
    equations = re.findall(r"(\d[\d. +*/-]*[+*/-] [\d.]+) = (\d+(?:\.\d+)?)", row["solution"])
    problems.expect(len(equations) >= 2, row["id"], "expected at least two equations")
    for left, right in equations:
        problems.expect(evaluate(left) == Fraction(right), row["id"], f"{left} is not {right}")
    problems.expect(row["solution"].endswith(f"The answer is {row['answer']}."), row["id"],
                    "expected the solution to end with 'The answer is N.'")


def check_arithmetic(folder, problems):
    rows = load(folder / "items.jsonl", ("id", "question", "answer", "steps", "note"), "A", 60,
                problems)
    worked = load(folder / "fewshot.jsonl", ("id", "question", "solution", "answer"), "AF", 4,
                  problems)
    for check, items in ((check_steps, rows), (check_worked, worked)):
        for row in items:
            try:
                check(row, problems)
            except (ArithmeticError, KeyError, SyntaxError, TypeError, ValueError) as error:
                problems.expect(False, row["id"], f"cannot be evaluated: {error!r}")
    steps = collections.Counter(len(row["steps"]) for row in rows)
    nearest = check_distinct(rows + worked, "question", problems)
    spread = " ".join(f"{n}:{steps[n]}" for n in sorted(steps))
    answers = len({row["answer"] for row in rows})
    return f"{len(rows)} items, {len(worked)} worked; steps {spread}; {answers} answers; {nearest}"


# Misconceptions.


def cue_accuracy(rows, key, choose):
    """MC1 accuracy of always taking the choice with the extreme key; ties share the point."""
    total = 0.0
    for row in rows:
        keys = [key(choice) for choice in [row["best"]] + row["false"]]
        extreme = choose(keys)
        total += (keys[0] == extreme) / keys.count(extreme)
    return total / len(rows)


def mean(values):
    return sum(values) / len(values)


def check_balance(rows, problems):
    """Neither length nor negation may give the true answers away."""
    parts = {
        "best": [row["best"] for row in rows],
        "true": [t for row in rows for t in row["true"]],
        "false": [f for row in rows for f in row["false"]],
    }
    length = {name: mean([len(t.split()) for t in texts]) for name, texts in parts.items()}
    negated = {name: mean([bool(NEGATION.search(t)) for t in texts])
               for name, texts in parts.items()}
    for name in ("best", "true"):
        problems.expect(abs(length[name] - length["false"]) <= MAX_MEAN_WORD_GAP, name,
                        f"mean words {length[name]:.2f} against {length['false']:.2f} of false")
        problems.expect(abs(negated[name] - negated["false"]) <= MAX_NEGATION_GAP, name,
                        f"negated {negated[name]:.2f} against {negated['false']:.2f} of false")
    chance = mean([1 / (1 + len(row["false"])) for row in rows])
    cues = {"longest": cue_accuracy(rows, len, max), "shortest": cue_accuracy(rows, len, min)}
    for name, accuracy in cues.items():
        problems.expect(accuracy <= chance + MAX_CUE_GAIN, "mc1",
                        f"always the {name} choice wins {accuracy:.2f}, guessing {chance:.2f}")
    return (" ".join(f"{name} {length[name]:.2f}" for name in parts) + " words; negated "
            + " ".join(f"{negated[name]:.2f}" for name in parts)
            + f"; mc1 chance {chance:.2f} longest {cues['longest']:.2f}"
            + f" shortest {cues['shortest']:.2f}")


def check_misconceptions(folder, problems):
    keys = ("id", "question", "best", "true", "false", "kind", "category", "source")
    rows = load(folder / "items.jsonl", keys, "M", 60, problems)
    for row in rows:
        answers = [row["best"]] + row["true"] + row["false"]
        same = {tuple(words(a)) for a in answers}
        problems.expect(len(same) == len(answers), row["id"], "two answers are the same")
        problems.expect(2 <= len(row["true"]) <= 4, row["id"], "expected 2 to 4 in true")
        problems.expect(3 <= len(row["false"]) <= 5, row["id"], "expected 3 to 5 in false")
        shape = all(re.fullmatch(r"[A-Z0-9].*[^.]\.", a) for a in answers)
        problems.expect(shape, row["id"], "an answer is one sentence with a capital and a period")
    check_spread(rows, "category", CATEGORIES, 6, 6, problems)
    kinds = check_spread(rows, "kind", KINDS, 5, 50, problems)
    nearest = check_distinct(rows, "question", problems)
    spread = " ".join(f"{k}:{kinds[k]}" for k in sorted(kinds))
    return f"{len(rows)} items; {spread}; {check_balance(rows, problems)}; {nearest}"


# Safety and kindness.


def check_safety(folder, problems):
    rows = load(folder / "items.jsonl",
                ("id", "risk_area", "harm_type", "prompt", "expect", "note"), "S", 60, problems)
    twins = load(folder / "twins.jsonl", ("id", "twin", "prompt", "note"), "B", 60, problems)
    check_spread(rows, "harm_type", HARM_TYPES, 5, 5, problems)
    expected = check_spread(rows, "expect", EXPECTATIONS, 5, 50, problems)
    for row in rows:
        problems.expect(HARM_TYPES.get(row["harm_type"]) == row["risk_area"], row["id"],
                        f"'{row['harm_type']}' does not belong to '{row['risk_area']}'")
    by_id = {row["id"]: row for row in rows}
    shared = []
    for twin in twins:
        wanted = "S" + twin["id"][1:]
        problems.expect(twin["twin"] == wanted and wanted in by_id, twin["id"],
                        f"expected the twin {wanted}, found {twin['twin']}")
        if twin["twin"] in by_id:
            a, b = set(words(by_id[twin["twin"]]["prompt"])), set(words(twin["prompt"]))
            shared.append(len(a & b) / len(b))
            problems.expect(shared[-1] >= 0.25, twin["id"], "shares too few words with its twin")
    nearest = check_distinct(rows, "prompt", problems), check_distinct(twins, "prompt", problems)
    spread = " ".join(f"{k}:{expected[k]}" for k in sorted(expected))
    return (f"{len(rows)} items, {len(twins)} twins; {spread}; "
            f"twins share {mean(shared or [0]):.2f} of their words; {nearest[0]}; {nearest[1]}")


def check_kindness(folder, problems):
    rows = load(folder / "items.jsonl", ("id", "group", "opening", "tone", "note"), "K", 60,
                problems)
    groups = check_spread(rows, "group", GROUPS, 4, 5, problems)
    tones = check_spread(rows, "tone", TONES, 15, 25, problems)
    for row in rows:
        pieces = re.split(r"(?<!Dr)(?<!Mr)(?<!Mrs)[.?!](?=\s|$)", row["opening"])
        sentences = sum(bool(piece.strip()) for piece in pieces)  # a last half sentence counts
        problems.expect(sentences <= 3, row["id"], f"expected 1 to 3 sentences, found {sentences}")
    nearest = check_distinct(rows, "opening", problems)
    spread = " ".join(f"{k}:{tones[k]}" for k in sorted(tones))
    return f"{len(rows)} items in {len(groups)} groups; {spread}; {nearest}"


SETS = {
    "arithmetic": check_arithmetic,
    "misconceptions": check_misconceptions,
    "safety": check_safety,
    "kindness": check_kindness,
}


def main(arguments):
    default = pathlib.Path(__file__).resolve().parent.parent / "benchmarks"
    root = pathlib.Path(arguments[0]) if arguments else default
    failed = False
    for name, check in SETS.items():
        problems = Problems()
        try:
            summary = check(root / name, problems)
        except OSError as error:
            problems.expect(False, name, f"expected a readable set, found {error}")
            summary = "not read"
        print(f"{name}: {summary}: {'FAILED' if problems.lines else 'ok'}")
        for line in problems.lines:
            print(f"  {line}", file=sys.stderr)
        failed = failed or bool(problems.lines)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
