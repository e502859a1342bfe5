#!/usr/bin/env python3
# SPDX-License-Identifier: EUPL-1.2
"""The comparison behind compat_mlx.sh; runs in an environment that has mlx-lm."""
import argparse
import datetime
import importlib.metadata
import json
import pathlib
import shutil
import subprocess
import sys
import types

import mlx.core as mx

mx.set_default_device(mx.cpu)
from mlx_lm import generate, load, lora  # noqa: E402
from mlx_lm.tuner.callbacks import TrainingCallback  # noqa: E402

TOLERANCE = 1e-3
PAIRS = [("What is two plus two?", "Four."), ("Name a colour.", "Blue, or red."),
         ("Is the sea salt?", "Yes, it is."), ("Say hello.", "Hello there."),
         ("Who wrote Hamlet?", "Shakespeare did."), ("Is glass a liquid?", "No, it is a solid."),
         ("What do cows eat?", "Mostly grass."), ("Where is Ennis?", "In Clare, in Ireland.")]
PROMPT = "What do cows eat?"
TOKENS = 12


def write_data(folder, chat):
    """Conversations, or plain text for models without a chat template, which mlx-lm needs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in (("train", 26), ("valid", 6)):
        rows = []
        for i in range(count):
            question, answer = PAIRS[i % len(PAIRS)]
            answer += " Really." if i % 3 == 0 else ""
            rows.append({"messages": [{"role": "user", "content": question},
                                      {"role": "assistant", "content": answer}]}
                        if chat else {"text": f"{question} {answer}"})
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)


class Recorder(TrainingCallback):
    def __init__(self):
        self.losses, self.tokens, self.validations = [], [], []

    def on_train_loss_report(self, info):
        self.losses.append(float(info["train_loss"]))
        self.tokens.append(int(info["trained_tokens"]))

    def on_val_loss_report(self, info):
        self.validations.append(float(info["val_loss"]))


def train_mlx(options):
    recorder = Recorder()
    lora.get_reporting_callbacks = lambda *a, **k: recorder
    lora.run(types.SimpleNamespace(**(dict(lora.CONFIG_DEFAULTS) | options)))
    return recorder


def train_lem(lem, options, log):
    command = [lem, "train", "--train", "--compat", "mlx-lm", "--dtype", "float32", "--log", log]
    for key, value in options.items():
        if key != "train":
            command += ["--" + key.replace("_", "-"), str(value)]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    recorder, total = Recorder(), 0
    for line in pathlib.Path(log).read_text().splitlines()[1:]:
        row = json.loads(line)
        if "val_loss" in row:
            recorder.validations.append(row["val_loss"])
        else:
            total += row["tokens"]
            recorder.losses.append(row["loss"])
            recorder.tokens.append(total)
    return recorder


def fuse(program, model, adapter, folder):
    command = [*program, "fuse", "--model", model, "--adapter-path", adapter, "--save-path", folder]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def text_of_mlx(model, adapter, chat):
    loaded, tokenizer = load(str(model), adapter_path=adapter and str(adapter))
    prompt = PROMPT
    if chat:
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": PROMPT}],
                                               add_generation_prompt=True)
    return generate(loaded, tokenizer, prompt=prompt, max_tokens=TOKENS)


def text_of_lem(lem, model, adapter, chat):
    command = [lem, "generate", "--model", model, "--prompt", PROMPT, "--max-tokens", str(TOKENS),
               "--dtype", "float32", "--json"]
    if adapter:
        command += ["--adapter-path", adapter]
    if not chat:
        command.append("--ignore-chat-template")
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out)["results"][0]["text"]


class Report:
    def __init__(self):
        self.failures, self.rows, self.model = 0, [], ""

    def begin(self, source):
        self.model = pathlib.Path(source).stem
        print(source, flush=True)

    def line(self, what, good, detail=""):
        self.failures += not good
        self.rows.append((self.model, what, "same" if good else "different", detail))
        print(f"  {self.rows[-1][2]:9s} {what} {detail}", flush=True)

    def write(self, path, iterations):
        version = importlib.metadata.version
        lines = ["# Beside the real mlx-lm", "",
                 f"Written by `scripts/compat_mlx.sh` on {datetime.date.today()}: `lem train --compat mlx-lm "
                 f"--dtype float32` and mlx-lm {version('mlx-lm')} (mlx {version('mlx')}, CPU) with one seed, "
                 "the same rows and settings: LoRA on two blocks, batches of 2 short conversations, "
                 f"{iterations} iterations at mlx-lm's default rate, 1e-5. Then each continues a prompt greedily by {TOKENS} tokens with both "
                 "adapters, and from the folders that both fused.", "",
                 "| model | what | | |", "|---|---|---|---|"]
        lines += [f"| {model} | {what} | {good} | {detail} |" for model, what, good, detail in self.rows]
        path.write_text("\n".join(lines) + "\n")


def compare(args, source, report):
    work = args.work / pathlib.Path(source).stem
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    model = work / "model"
    subprocess.run([args.lem, "convert", "--model", source, "--mlx-path", model, "--dtype",
                    "float32"], check=True, stdout=subprocess.DEVNULL)
    report.begin(source)
    chat = (model / "chat_template.jinja").exists() or "chat_template" in json.loads(
        (model / "tokenizer_config.json").read_text())
    write_data(work / "data", chat)
    base = {"model": str(model), "data": str(work / "data"), "train": True, "batch_size": 2,
            "num_layers": 2, "save_every": 100, "steps_per_report": 1, "steps_per_eval": 10,
            "val_batches": 1, "learning_rate": 1e-5, "iters": args.iters}  # mlx-lm's default rate

    still = base | {"iters": 1, "learning_rate": 0.0}
    train_mlx(still | {"adapter_path": str(work / "mlx-start")})
    train_lem(args.lem, still | {"adapter_path": str(work / "lem-start")}, work / "start.jsonl")
    first, second = (mx.load(str(work / f"{name}-start" / "adapters.safetensors"))
                     for name in ("mlx", "lem"))
    same = first.keys() == second.keys() and all(
        mx.array_equal(first[name], second[name]).item() for name in first)
    report.line("initial adapter, to the bit", same, f"({len(first)} tensors)")

    theirs = train_mlx(base | {"adapter_path": str(work / "mlx")})
    ours = train_lem(args.lem, base | {"adapter_path": str(work / "lem")}, work / "log.jsonl")
    report.line("trained tokens after every iteration", theirs.tokens == ours.tokens)
    for what in ("losses", "validations"):
        a, b = getattr(theirs, what), getattr(ours, what)
        worst = max(abs(x - y) for x, y in zip(a, b)) if len(a) == len(b) else float("inf")
        report.line(what, worst < TOLERANCE, f"({len(a)}, largest difference {worst:.1e})")

    for adapter in ("mlx", "lem"):
        a = text_of_mlx(model, work / adapter, chat)
        b = text_of_lem(args.lem, model, work / adapter, chat)
        report.line(f"greedy text with the adapter of {adapter}", a == b, repr(b))
    for name, program in (("mlx", [sys.executable, "-m", "mlx_lm"]), ("lem", [args.lem])):
        fused = work / f"{name}-fused"
        fuse(program, model, work / name, fused)
        a, b = text_of_mlx(fused, None, chat), text_of_lem(args.lem, fused, None, chat)
        report.line(f"greedy text of the folder that {name} fused", a == b, repr(b))
        shutil.rmtree(fused)
    shutil.rmtree(model)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lem", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--iters", type=int, default=20)
    parser.add_argument("--write", type=pathlib.Path, help="a page of the results")
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    report = Report()
    for source in args.models:
        compare(args, source, report)
    if args.write:
        report.write(args.write, args.iters)
    sys.exit(report.failures > 0)


if __name__ == "__main__":
    main()
