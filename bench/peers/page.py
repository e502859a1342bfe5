# SPDX-License-Identifier: EUPL-1.2
"""Composes docs/performance.md of the parts kept as JSON. Nothing is measured here, and what was not measured says so."""
import json
import statistics

import sizes

OF_LLAMA = "llama.cpp, same GGUF"
OURS = ("lem", "lem, int8")
TITLES = {"prompt": "prompt of 512 tokens", "decode": "one sequence", "batch": "sixteen sequences"}
PER_MODEL = ("train", "prompt", "decode", "batch", "startup")  # kept in a file for each model; before, as the others, in one
WHOLE = ("lm-eval", "scaling", "shapes")
RANDOM = ("A shape has random weights of the model's real shape at 4 bits (Q4_0, `bench/peers/make_shape.py`) and the family's own tokenizer: its texts "
          "and losses mean nothing, its times and memory do not depend on the weights' values.")


def read(work, part):
    path = work / f"{part}.json"
    return json.loads(path.read_text()) if path.exists() else None


class Entry:
    """One model's result in a part, and the record of the run that it is of."""

    def __init__(self, model, found, record):
        self.model, self.found, self.record = model, found, record
        self.label = f"{model} shape" if isinstance(found, dict) and found.get("random") else model


def entries_of(work, part):
    """In the page's order; of a model measured several times the last."""
    records = [json.loads(path.read_text()) for path in [work / f"{part}.json", *sorted(work.glob(f"{part}-*.json"))] if path.exists()]
    newest = {}
    for record in sorted(records, key=lambda record: record["date"]):
        for model, found in record["result"].items():
            newest[model] = Entry(model, found, record)
    order = [*(model for model in sizes.MODELS if model in newest), *(model for model in newest if model not in sizes.MODELS)]
    return [newest[model] for model in order]


def number(value):
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def spread(values):
    if len(values) == 1:
        return number(values[0])
    return f"{number(statistics.median(values))} ({number(min(values))}-{number(max(values))})"


def middle(values):
    return statistics.median(values) if values else None


def verdict(met):
    return "met" if met else "missed"


def gigabytes(value):
    return f"{value / 1e9:.2f}"


class Page:
    def __init__(self, work):
        self.entries = {part: entries_of(work, part) for part in PER_MODEL}
        self.parts = {part: read(work, part) for part in WHOLE}
        self.targets, self.sections, self.versions = [], [], {}

    def part(self, name):
        return self.parts[name]

    def target(self, work, model, lem, against, ratio, wanted, met):
        self.targets.append(f"| {work} | {model} | {lem} | {against} | {ratio} | {wanted} | {verdict(met)} |")

    def remember(self, runs):
        for run in runs:
            self.versions |= {name: value for name, value in run.get("versions", {}).items() if name != "build"}

    def records(self):
        return [entry.record for entries in self.entries.values() for entry in entries] + [record for record in self.parts.values() if record]

    def absent(self):
        return [part for part, found in (self.entries | self.parts).items() if not found]

    def section(self, title, lines, *, of):
        """`of`: a record, or the entries shown, whose runs are then told apart."""
        runs = {}
        for entry in of if isinstance(of, list) else [Entry("", None, of)]:
            runs.setdefault(source(entry.record), []).append(entry.label)
        self.sections += [f"## {title}", "", *lines, ""]
        for run, models in runs.items():
            self.sections += [run if len(runs) == 1 else f"{', '.join(models)}: {run}", ""]


def source(record):
    machine = record["machine"]
    return (f"{record['date']}, {record['repeats']} repeats, {record['minutes']:.1f} minutes, lem {machine['version']} ({machine['commit']}): "
            f"`{record['command'].strip()}`. Ceilings, the higher of before and after: {ceilings(machine)}.")


def less_work(entries, given):
    """For each model that was given less than the others, what: `given` maps a field of its result to the full size and words for it."""
    told = []
    for entry in entries:
        less = [words.format(entry.found[field]) for field, (full, words) in given.items() if entry.found.get(field, full) != full]
        if less:
            told.append(f" {entry.label}: {', '.join(less)}.")
    return "".join(told)


def ceilings(machine):
    return (f"{machine['gemm_bfloat16_flops'] / 1e9:,.0f} GFLOP/s bfloat16, {machine['gemm_float32_flops'] / 1e9:,.0f} float32, "
            f"{machine['read_bytes_per_second'] / 1e9:.1f} GB/s")


def training_rows(page, entry, peak):
    label, found, rows = entry.label, entry.found, []
    for name, key in (("lem", "lem"), ("transformers + PEFT, bf16", "peft"), ("mlx-lm, CPU", "mlx")):
        runs = found[key]
        if not runs:
            rows.append(f"| {label} | {name} | not measured: {found['reasons'].get(key, 'no reason kept')} | | | |")
            continue
        seconds = [r["seconds_per_step"] for r in runs]
        tokens = found["tokens_per_step"] if key == "lem" else runs[0]["tokens"] / runs[0].get("steps", 1)
        share = found["flops_per_step"] * tokens / found["tokens_per_step"] / middle(seconds) / peak
        memory = "" if key == "mlx" and found.get("cut") else gigabytes(max(r["peak_bytes"] for r in runs))
        page.remember(runs)
        rows.append(f"| {label} | {name} | {spread(seconds)} | {tokens:.0f} | {memory} | {100 * share:.1f} % |")
        if key == "lem":
            later = spread([r["seconds_per_step_later"] for r in runs])
            rows.append(f"| {label} | lem, from the second epoch on: outputs of frozen blocks are kept | {later} | {tokens:.0f} | | |")
    return rows


def training(page):
    entries = page.entries["train"]
    if not entries:
        return
    lines = ["LoRA, rank 8 on all projections of the last 16 blocks, batch 2, 24 GSM8K rows, prompt masked. lem trains on the 4-bit GGUF, the peers on "
             "the same model in bfloat16. mlx-lm: a single step of the middle pair of rows, compared by time per token." +
             less_work(entries, {"rows": (sizes.FULL.rows, "{} rows"), "cut": (0, "mlx-lm's two rows cut to {} tokens each")}), "",
             "| model | program | s per step | tokens per step | peak, GB | share of the GEMM ceiling |", "|---|---|--:|--:|--:|--:|"]
    for entry in entries:
        peak = entry.record["machine"]["gemm_bfloat16_flops"]
        lines += training_rows(page, entry, peak)
        training_targets(page, entry.label, entry.found, peak)
    lines += ["", "The share counts the work that is needed, the same for every program: 2 (T (P + Q + 3 A) + 2 C V D) operations a step, T tokens and C "
              "targets a step, P weights of all blocks' projections (forward), Q those of the trained blocks (gradients of inputs), A numbers of the "
              "adapter (forward and two gradients), V D the head (logits and their gradient back), over the seconds and the bfloat16 ceiling. " +
              "; ".join(f"{entry.label}: {entry.found['flops_per_step'] / 1e9:,.0f} GFLOP for {entry.found['tokens_per_step']:.0f} tokens, planned peak "
                        f"{gigabytes(entry.found['planned_bytes'])} GB" for entry in entries) + "."]
    lines += budget_rows(entries)
    page.section("Training", lines, of=entries)


def budget_rows(entries):
    """One step of each model, taken apart."""
    lines = []
    for entry in entries:
        budget, machine = entry.found.get("budget"), entry.record["machine"]
        if not budget:
            continue
        whole, flops, memory = budget["seconds_per_step"], machine["gemm_bfloat16_flops"], machine["read_bytes_per_second"]
        lines += ["", f"One step of {entry.label} in the first epoch, {whole:.3f} s, by `lem train --profile`: operations of products, bytes of their operands and results "
                  "read and written once, against the ceilings.", "", "| work | ms | of the step | GFLOP | of the GEMM ceiling | MB | of the read ceiling |",
                  "|---|--:|--:|--:|--:|--:|--:|"]
        for part in budget["parts"]:
            seconds = part["seconds"]
            products = f"{part['operations'] / 1e9:.1f} | {100 * part['operations'] / seconds / flops:.0f} %" if part["operations"] else " | "
            lines.append(f"| {part['work']} | {1e3 * seconds:.1f} | {100 * seconds / whole:.1f} % | {products} | {part['bytes'] / 1e6:.0f} | "
                         f"{100 * part['bytes'] / seconds / memory:.0f} % |")
        lines.append(f"| optimizer, gathering of rows, the program | {1e3 * budget['rest']:.1f} | {100 * budget['rest'] / whole:.1f} % | | | | |")
    if lines:
        lines += ["", "\"logits, gradient of inputs\" counts the whole product; what is negligible is left out (docs/numerics.md), so that it can pass the ceiling. "
                  "Bytes of an operand that is still in the cache can pass the read ceiling."]
    return lines


def training_targets(page, model, found, peak):
    ours = middle([r["seconds_per_step"] for r in found["lem"]])
    if found["peft"]:
        theirs = middle([r["seconds_per_step"] for r in found["peft"]])
        page.target("LoRA step", model, f"{number(ours)} s", f"PEFT {number(theirs)} s", f"{theirs / ours:.1f}x", "4x faster", theirs / ours >= 4)
        memory = max(r["peak_bytes"] for r in found["lem"]) / max(r["peak_bytes"] for r in found["peft"])
        page.target("its peak memory", model, f"{gigabytes(max(r['peak_bytes'] for r in found['lem']))} GB",
                    f"PEFT {gigabytes(max(r['peak_bytes'] for r in found['peft']))} GB", f"{memory:.2f}", "at most a third", memory <= 1 / 3)
    if found["mlx"]:
        run = found["mlx"][0]
        ratio = (run["seconds_per_step"] / run["tokens"]) / (ours / found["tokens_per_step"])
        page.target("LoRA step", model, f"{number(ours)} s", f"mlx-lm {number(run['seconds_per_step'])} s", f"{ratio:.0f}x a token", "100x faster",
                    ratio >= 100)
    share = found["flops_per_step"] / ours / peak
    page.target("its share of the GEMM ceiling", model, f"{100 * share:.0f} %", f"{peak / 1e9:,.0f} GFLOP/s", "", "60 %", share >= 0.6)


def rates(programs, work):
    return {name: [r[work] for r in found["runs"] if work in r] for name, found in programs.items()}


def answer_target(page, work, model, found, machine):
    by_name = rates(found["programs"], work)
    peers = {name: middle(values) for name, values in by_name.items() if name not in OURS and values}
    for name in OURS:
        if peers and by_name.get(name):
            one_target(page, work, model, found, machine, name, middle(by_name[name]), peers)


def one_target(page, work, model, found, machine, name, ours, peers):
    best = max(peers, key=peers.get)
    ratio, of_llama = ours / peers[best], ours / peers[OF_LLAMA] if OF_LLAMA in peers else None
    against = f"{best} {number(peers[best])}"
    shown = f"{ratio:.2f}x" + (f"; llama.cpp {of_llama:.1f}x" if of_llama else "")
    if work == "prompt":
        met, wanted = ratio > 1 and (of_llama or 0) >= 4, "ahead of the best, 4x llama.cpp"
    elif work == "decode":
        share = ours * found["gguf_bytes"] / machine["read_bytes_per_second"]
        met, wanted = (ratio > 1 and (of_llama or 0) >= 2) or share >= 0.8, "ahead of the best, 2x llama.cpp; or 80 % of memory speed"
        shown += f"; {100 * share:.0f} % of memory speed"
    else:
        met, wanted, shown = ratio >= 1.3, "1.3x the best", f"{ratio:.2f}x"
    page.target(TITLES[work] + ", tok/s", model, number(ours) + name.removeprefix("lem"), against, shown, wanted, met)


def answering_rows(page, work, entry):
    label, found, rows = entry.label, entry.found, []
    ours = middle(rates(found["programs"], work)["lem"])
    for name, program in found["programs"].items():
        values = [r[work] for r in program["runs"] if work in r]
        if not values:
            rows.append(f"| {label} | {name} | not measured: {program.get('reason', 'no reason kept')} | | |")
            continue
        peak = max(r["peak_bytes"] for r in program["runs"])
        build = next((r["versions"].get("build", "") for r in program["runs"] if "versions" in r), "")
        page.remember(program["runs"])
        note = " (no AVX-512 in its wheel)" if "AVX-512" in build and build != "AVX-512" else ""
        rows.append(f"| {label} | {name}{note} | {spread(values)} | {gigabytes(peak)} | {f'{100 * middle(values) / ours:.0f} %' if ours else ''} |")
    return rows


def answering(page, work):
    entries = page.entries[work]
    if not entries:
        return
    about, full = entries[0].found, sizes.FULL
    how = {"prompt": f"Prompts of {about['prompt_tokens']} tokens, each another text. The peers warm up before; lem is a fresh process.",
           "decode": f"{about['tokens']} greedy tokens after a short prompt; what comes before is not in the rate.",
           "batch": f"{about['sequences']} different prompts together, {about['tokens']} greedy tokens each."}[work]
    answer = {"tokens": (full.tokens, "{} tokens")}
    how += less_work(entries, {"prompt": {"prompts": (full.prompts, f"{{}} prompts, not {full.prompts}")}, "batch": answer,
                               "decode": answer | {"inner": (full.inner, f"a peer's rate is of {{}} answer a run, not {full.inner}")}}[work])
    how += (" lem, llama.cpp and ik_llama.cpp read the same 4-bit GGUF. \"lem\" multiplies in bfloat16, \"lem, int8\" is --dtype int8: rows rounded to "
            "8-bit integers, as llama.cpp and ik_llama.cpp always do.")
    if work == "decode":
        how += " Memory speed: the file's bytes once per token, over the read rate."
    lines = [how, "", "| model | program | tokens/s | peak, GB | of lem's rate |", "|---|---|--:|--:|--:|"]
    for entry in entries:
        lines += answering_rows(page, work, entry)
        answer_target(page, work, entry.label, entry.found, entry.record["machine"])
    page.section(f"Answers: {TITLES[work]}", lines, of=entries)


def evaluating(page):
    record = page.part("lm-eval")
    if not record:
        return
    model, lines = record["result"]["model"], ["| work | items | lem, s | lm-evaluation-harness, bf16, s | ratio |", "|---|--:|--:|--:|--:|"]
    for name, found in record["result"]["works"].items():
        ours, theirs = [r["seconds"] for r in found["lem"]], [r["seconds"] for r in found["lm-eval"]]
        if not theirs:
            lines.append(f"| {name} | {found['items']} | {spread(ours)} | not measured: {found.get('reason', 'no reason kept')} | |")
            continue
        page.remember(found["lm-eval"])
        ratio = middle(theirs) / middle(ours)
        lines.append(f"| {name} | {found['items']} | {spread(ours)} | {spread(theirs)} | {ratio:.1f} |")
        page.target(name, model, f"{number(middle(ours))} s", f"lm-eval {number(middle(theirs))} s", f"{ratio:.1f}x", "5x faster", ratio >= 5)
    page.section("Evaluation", [f"{model}, from the start of the program to its scores, the same items and prompts.", "", *lines], of=record)


def starting(page):
    entries = page.entries["startup"]
    if not entries:
        return
    lines = ["`lem generate --max-tokens 1`, from the start of the process to its end, file in the page cache.", "", "| model | s |", "|---|--:|"]
    for entry in entries:
        seconds = entry.found["seconds"] if isinstance(entry.found, dict) else entry.found
        lines.append(f"| {entry.label} | {spread(seconds)} |")
        if "135m" in entry.model:
            page.target("first answer", entry.label, f"{number(middle(seconds))} s", "", "", "within a second", middle(seconds) <= 1)
    page.section("Start-up", lines, of=entries)


def scaling(page):
    record = page.part("scaling")
    if not record:
        return
    lines = []
    for model, found in record["result"].items():
        lines += [f"{model}, one training step (plain rows of one length, every token a target):", "",
                  "| varied | length | batch | rank | blocks | threads | s per step | tokens/s | peak, GB |", "|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
        for r in found["train"]:
            lines.append(f"| {r['varied']} | {r['length']} | {r['batch']} | {r['rank']} | {r['layers']} | {r['threads'] or record['machine']['threads']} | "
                         f"{r['seconds_per_step']:.3f} | {number(r['targets'] / r['seconds_per_step'])} | {gigabytes(r['peak_bytes'])} |")
        lines += ["", f"{model}, generating:", "", "| varied | tokens before | sequences | threads | prompt, tok/s | generating, tok/s | peak, GB |",
                  "|---|--:|--:|--:|--:|--:|--:|"]
        for r in found["decode"]:
            lines.append(f"| {r['varied']} | {r['context']} | {r['batch']} | {r['threads']} | {number(r['prompt'])} | {number(r['decode'])} | "
                         f"{gigabytes(r['peak_bytes'])} |")
        lines.append("")
    page.section("Scaling", lines[:-1], of=record)


def shapes(page):
    record = page.part("shapes")
    if not record:
        return
    lines = ["Random weights of the real shapes at 4 bits (`bench/peers/make_shape.py`), LoRA of rank 8 on the last 16 blocks, every token a target. "
             "Measured: the most resident memory of the process, the mapped file's pages included.", "",
             "| shape | batch x tokens | flags | planned, GB | measured, GB | measured over planned | limit, GB | s per step | loss |",
             "|---|---|---|--:|--:|--:|--:|--:|--:|"]
    for r in record["result"]:
        what = f"| {r['shape']} | {r['batch']} x {r['length']} | {' '.join(r.get('flags', []))} |"
        planned = r.get("plan", {}).get("total")
        if "seconds_per_step" not in r:
            lines.append(f"{what} {gigabytes(planned) if planned else ''} | not run: {r['reason']} | | {r['limit_bytes'] / 1e9:.0f} | | |")
            continue
        ratio, peak = r["peak_bytes"] / planned, r["peak_bytes"]
        lines.append(f"{what} {gigabytes(planned)} | {gigabytes(peak)} | {ratio:.2f} | {r['limit_bytes'] / 1e9:.0f} | {r['seconds_per_step']:.1f} | "
                     f"{r['loss']:.2f} |")
        page.target("real steps in memory", r["shape"], f"{gigabytes(peak)} GB", f"planned {gigabytes(planned)} GB", f"{ratio:.2f}",
                    f"{r['limit_bytes'] / 1e9:.0f} GB, plan within 10 %", peak <= r["limit_bytes"] and abs(ratio - 1) <= 0.1)
    page.section("Large shapes", lines, of=record)


def compose(work):
    page = Page(work)
    training(page)
    for part in TITLES:
        answering(page, part)
    evaluating(page), starting(page), scaling(page), shapes(page)
    records = page.records()
    if not records:
        return "# Performance\n\nNothing was measured yet. `bench/peers/run.sh` writes this page.\n"
    machine, shaped = records[0]["machine"], any(entry.label != entry.model for entries in page.entries.values() for entry in entries)
    lines = ["# Performance", "", f"Written by `bench/peers/run.sh`: {machine['cpu']}, {machine['threads']} threads, "
             f"{machine['memory_total_bytes'] / 1e9:.0f} GB, kernels {machine['kernels']}. Programs take turns on the same work; medians, the range behind "
             "them. The ceilings are one large oneDNN product and one read of memory, measured on the same machine beside each part. Every peer is its "
             "package on PyPI." + (" " + RANDOM if shaped else ""), ""]
    if page.absent():
        lines += ["Not measured yet: " + ", ".join(page.absent()) + ".", ""]
    lines += ["| work | model | lem | against | ratio | target | |", "|---|---|--:|---|---|---|---|", *page.targets, ""]
    if page.versions:
        page.sections += ["## Versions", "", ", ".join(f"{name} {value}" for name, value in sorted(page.versions.items())) + ".", ""]
    return "\n".join(lines + page.sections).rstrip() + "\n"
