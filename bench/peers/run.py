# SPDX-License-Identifier: EUPL-1.2
"""Called by run.sh: alternates lem and its peers on the same work and writes docs/performance.md."""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

ROWS, LAYERS = 24, 16


def run(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    return done.stdout


def lem_epoch(lem, model, data, work, layers):
    log = work / "log.jsonl"
    shutil.rmtree(work / "adapter", ignore_errors=True)
    run([lem, "train", "--model", model, "--train", "--data", data, "--mask", "prompt", "--batch-size", 2, "--iters", ROWS // 2 + 1,
         "--num-layers", layers, "--val-batches", 0, "--log", log, "--adapter-path", work / "adapter"])
    rows = [json.loads(line) for line in open(log)]
    steps = [r for r in rows if "loss" in r and "tokens_per_second" in r][1:]
    seconds = sum(r["tokens"] / r["tokens_per_second"] for r in steps)
    return {"seconds_per_step": seconds / len(steps), "peak_bytes": max(r["peak_memory_bytes"] for r in steps)}


def generate(lem, model, prompt_words, tokens, batch):
    command = [lem, "generate", "--model", model, "--ignore-chat-template", "--json", "--max-tokens", tokens, "--batch-size", batch]
    for i in range(batch):
        command += ["--prompt", f"{i} " + "the river runs past the old mill and " * (prompt_words // 8)]
    return json.loads(run(command))


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def main():
    parser = argparse.ArgumentParser()
    for flag in ("--lem", "--data", "--out"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", default="build/peers")
    args = parser.parse_args()
    work = pathlib.Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    doctor = json.loads(run([args.lem, "doctor", "--json"]))
    rows = [json.loads(line) for line in open(pathlib.Path(args.data) / "gsm8k" / "test.jsonl")][:ROWS]
    data = work / "data"
    data.mkdir(exist_ok=True)
    (data / "train.jsonl").write_text("".join(json.dumps({"messages": [
        {"role": "user", "content": r["question"]}, {"role": "assistant", "content": r["answer"]}]}) + "\n" for r in rows))

    out = ["# Performance", "", f"Written by `bench/peers/run.sh` on {datetime.date.today()}, lem {doctor['version']} ({doctor['commit']}), "
           f"{doctor['cpu']}, {doctor['threads']} threads, kernels {doctor['kernels']}.", "",
           f"The machine's own ceilings, measured beside: {doctor['gemm_bfloat16_flops'] / 1e9:.0f} GFLOP/s bfloat16 and "
           f"{doctor['gemm_float32_flops'] / 1e9:.0f} float32 (one large oneDNN product), {doctor['read_bytes_per_second'] / 1e9:.1f} GB/s "
           "reading. Medians of alternating runs, the range behind them.", "",
           f"## One LoRA step: {ROWS} GSM8K rows by two, prompt masked, rank 8 on all projections of the last {LAYERS} blocks", "",
           "| model | lem, 4-bit base, s | PEFT, bf16, s | ratio | lem peak, GB | PEFT peak, GB |", "|---|---|---|--:|--:|--:|"]
    for model in ("smollm2-135m-instruct", "gemma-3-270m"):
        folder = work / f"{model}-bf16"
        if not folder.exists():
            run([args.lem, "convert", "--model", model, "--mlx-path", folder, "--dtype", "bfloat16"])
        chat = folder / "chat_template.jinja"
        if model.startswith("gemma") and not chat.exists():  # the base model has no template; both sides use the family's
            chat.write_text("{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
                            "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}")
        ours, theirs = [], []
        for _ in range(args.repeats):
            ours.append(lem_epoch(args.lem, model, data, work, LAYERS))
            theirs.append(json.loads(run([sys.executable, "bench/peers/train_peft.py", folder, data / "train.jsonl", doctor["threads"],
                                          LAYERS]).strip().splitlines()[-1]))
        a, b = [r["seconds_per_step"] for r in ours], [r["seconds_per_step"] for r in theirs]
        out.append(f"| {model} | {spread(a)} | {spread(b)} | {statistics.median(b) / statistics.median(a):.1f} | "
                   f"{max(r['peak_bytes'] for r in ours) / 1e9:.2f} | {max(r['peak_bytes'] for r in theirs) / 1e9:.2f} |")
    out += ["", "## Answers: a prompt of about 500 tokens, one sequence and sixteen", "",
            "| model | prompt, tokens/s | one sequence, tokens/s | sixteen, tokens/s | peak, GB |", "|---|--:|--:|--:|--:|"]
    for model in ("smollm2-135m-instruct", "gemma-3-270m"):
        long = [generate(args.lem, model, 500, 2, 1) for _ in range(args.repeats)]
        one = [generate(args.lem, model, 16, 128, 1) for _ in range(args.repeats)]
        many = [generate(args.lem, model, 16, 128, 16) for _ in range(args.repeats)]
        out.append(f"| {model} | {spread([r['prompt_tps'] for r in long], 0)} | {spread([r['generation_tps'] for r in one], 0)} | "
                   f"{spread([r['generation_tps'] for r in many], 0)} | {max(r['peak_memory_bytes'] for r in long + one + many) / 1e9:.2f} |")
    out += ["", "Not measured here: mlx-lm, llama.cpp, ik_llama.cpp, OpenVINO GenAI and lm-evaluation-harness side by side.", ""]
    pathlib.Path(args.out).write_text("\n".join(out))
    print("\n".join(out))


if __name__ == "__main__":
    main()
