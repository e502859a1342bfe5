# SPDX-License-Identifier: EUPL-1.2
"""Called by run.sh: measures the parts asked for, keeps each as JSON, and composes docs/performance.md of all that were ever measured."""
import argparse
import datetime
import json
import pathlib
import statistics
import sys
import time
import traceback

import answers
import evaluation
import page
import programs
import sizes
import training

PARTS = (*page.PER_MODEL, *page.WHOLE)


class Bench(programs.Bench):
    def __init__(self, args):
        super().__init__(args)
        self.data = pathlib.Path(args.data)
        self.models = args.models.split(",")
        self.machine = self.doctor()
        self.threads_used = self.machine["threads"]

    def gsm8k(self):
        return [json.loads(line) for line in open(self.data / "gsm8k" / "test.jsonl")]

    def questions(self):
        return [row["question"] for row in self.gsm8k()]

    def client_command(self, venv, *arguments, **options):
        return programs.process([self.python(venv), *arguments], **options)

    def say(self, *what):
        print(datetime.datetime.now().strftime("%H:%M:%S"), *what, flush=True)


def measure_startup(bench, model):
    command = ["--model", bench.gguf(model), "--ignore-chat-template", "--max-tokens", 1, "--prompt", "The capital of France is"]
    bench.run_lem("generate", *command)
    seconds = [bench.run_lem("generate", *command).seconds for _ in range(5)]
    bench.say(model, "start-up", seconds)
    return {"seconds": seconds, "random": bench.is_shape(model)}


def measure_decoding(bench, model):
    """lem's rate against the length of what stands before, the number of sequences, and threads."""
    gguf, words, out = bench.gguf(model), " ".join(bench.questions()).split(), []
    tokens, lengths, batches = (4, (32,), (1, 2)) if bench.quick else (64, (64, 512, 1024, 2048), (1, 2, 4, 8, 16))

    def rate(varied, prompts, batch, threads):
        made = [answers.lem_generate(bench, gguf, prompts, tokens, batch, threads=threads) for _ in range(1 if bench.quick else 3)]
        out.append({"varied": varied, "context": made[0]["results"][0]["prompt_tokens"], "batch": batch, "threads": threads or bench.threads_used,
                    "prompt": statistics.median(m["prompt_tps"] for m in made), "decode": statistics.median(m["generation_tps"] for m in made),
                    "peak_bytes": max(m["peak_memory_bytes"] for m in made)})
        bench.say(model, out[-1])

    for length in lengths:
        rate("context", [answers.text_of(bench, gguf, words, length)], 1, bench.threads)
    short = [" ".join(words[40 * i:40 * i + 24]) for i in range(16)]
    for batch in batches:
        rate("batch", short[:batch], batch, bench.threads)
    for threads in (1, 2):
        if threads <= bench.threads_used:
            rate("threads", [answers.text_of(bench, gguf, words, lengths[-1] // 4)], 1, threads)
    return out


def measure_scaling(bench):
    return {model: {"train": training.measure_scaling(bench, model), "decode": measure_decoding(bench, model)} for model in bench.models[:1]}


def record_of(bench, begin):
    """What is told under a table of every model that was measured together."""
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "minutes": (time.time() - begin) / 60,
            "command": "bench/peers/run.sh " + " ".join(sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else []),
            "repeats": bench.args.repeats, "machine": bench.machine}


def keep(bench, part, record, results):
    """A file for each model, so that a model measured another day leaves the others' numbers alone; one file for a part that is not of each
    model. Quick runs keep theirs in a folder of their own: their numbers never reach the page."""
    for model, result in results.items():
        name = f"{part}-{pathlib.Path(model).stem}" if model else part
        kept = {"part": part} | record | {"result": {model: result} if model else result}
        (bench.work / f"{name}.json").write_text(json.dumps(kept, indent=1))
    bench.say(part, f"{record['minutes']:.1f} minutes")


def better(first, second):
    """Of two looks at the machine the higher ceilings: a moment in which something else ran must not make a share of one."""
    names = ("gemm_bfloat16_flops", "gemm_float32_flops", "read_bytes_per_second")
    return first | {name: max(first[name], second[name]) for name in names}


def results_of(bench, part, together):
    """{model: result}, the model None for a part that is not of each model; and what failed."""
    whole = {"lm-eval": evaluation.measure, "scaling": measure_scaling, "shapes": training.measure_shapes}
    results, failed = {}, []
    for model in [None] if part in whole else bench.models:
        try:
            if part in whole:
                results[model] = whole[part](bench)
            elif part in together:
                results[model] = answers.measure(bench, model, together)
            else:
                results[model] = {"train": training.measure_peers, "startup": measure_startup}[part](bench, model)
        except Exception:  # the others are still worth having; this one keeps what was measured before
            traceback.print_exc()
            failed.append(f"{part} of {model}" if model else part)
    return results, failed


def measure(bench, wanted):
    together, failed = [part for part in answers.WORK if part in wanted], []
    for part in wanted:
        if part in together and part != next(p for p in wanted if p in together):
            continue  # these three share their processes
        begin, bench.machine = time.time(), bench.doctor()
        results, missing = results_of(bench, part, together)
        failed += missing
        bench.machine = better(bench.machine, bench.doctor())
        record = record_of(bench, begin)
        for each in together if part in together else [part]:
            keep(bench, each, record, results)
    return failed


def main():
    parser = argparse.ArgumentParser()
    for flag in ("--lem", "--venvs", "--data", "--out"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--work", default="build/peers")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between: " + ", ".join(PARTS))
    parser.add_argument("--models", default=",".join(sizes.MODELS), help="names in lem's store, .gguf files, or shapes; the first is evaluated and scaled")
    parser.add_argument("--shapes", default="", help="of the part shapes; default: all")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that every program runs; the page is not written")
    parser.add_argument("--page-only", action="store_true", help="compose the page from what was measured before")
    args = parser.parse_args([a for a in sys.argv[1:] if a != "--"])
    wanted = args.only.split(",")
    if unknown := [part for part in wanted if part not in PARTS]:
        sys.exit(f"--only {args.only}: expected some of {', '.join(PARTS)}, found {unknown[0]}")
    kept = pathlib.Path(args.work)
    if args.quick:
        args.work, args.out = str(kept / "quick"), str(kept / "quick" / "performance.md")
    failed = []
    if not args.page_only:
        bench = Bench(args)
        if args.quick:
            bench.borrow(kept)
        failed = measure(bench, wanted)
    pathlib.Path(args.out).write_text(page.compose(pathlib.Path(args.work)))
    print(args.out)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
