#!/usr/bin/env python3
# SPDX-License-Identifier: EUPL-1.2
"""Compares lem's log-likelihoods of TruthfulQA's choices with lm-evaluation-harness's. Run by
compat_lm_eval.sh. Exits 1 if a choice differs by more than 1e-3, or MC1 or MC2 by more than 1e-4."""
import argparse
import datetime
import glob
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

TASK = """include: {original}
task: {name}
dataset_path: json
dataset_name: null
dataset_kwargs:
  data_files: {{validation: {data}}}
"""


def write_tasks(folder, data_file, limit):
    """The harness's own two tasks on local rows, in the order of the file."""
    import lm_eval.tasks.truthfulqa as truthfulqa
    rows = json.loads(pathlib.Path(data_file).read_text())[:limit]
    data = folder / "questions.jsonl"
    with open(data, "w") as out:
        for row in rows:
            new = {"question": row["question"]}
            for key in ("mc1_targets", "mc2_targets"):
                new[key] = {"choices": list(row[key]), "labels": list(row[key].values())}
            out.write(json.dumps(new) + "\n")
    original = pathlib.Path(list(truthfulqa.__path__)[0])
    for metric in ("mc1", "mc2"):
        (folder / f"local_{metric}.yaml").write_text(TASK.format(
            original=original / f"truthfulqa_{metric}.yaml", name=f"local_{metric}", data=data))


def timed(command, **kwargs):
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **kwargs)
    return time.monotonic() - start


def harness_samples(folder, metric):
    path = glob.glob(f"{folder}/**/samples_local_{metric}_*.jsonl", recursive=True)[0]
    rows = [json.loads(line) for line in open(path)]
    rows.sort(key=lambda row: row["doc_id"])
    values = [[float(r[0][0]) for r in row["resps"]] for row in rows]
    return values, [float(row["acc"]) for row in rows]


BEGIN, END = "<!-- lem:lm-eval:begin -->", "<!-- lem:lm-eval:end -->"
HEAD = """| model | questions | choices | largest difference | MC1: lem, lm-eval | MC2: lem, lm-eval | lem | lm-eval | times faster |
|---|--:|--:|--:|---|---|--:|--:|--:|
"""


def record(path, model, result):
    """Puts the model's row into the table between the marks of a document."""
    path = pathlib.Path(path)
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"{path}: expected one pair of {BEGIN} and {END}")
    head, tail = text[:text.index(BEGIN)], text[text.index(END):]
    rows = {line.split("|")[1].strip(): line for line in text[text.index(BEGIN):text.index(END)].splitlines()
            if line.startswith("| ") and not line.startswith("| model")}
    pair = lambda metric: f"{result[metric]['lem']:.4f}, {result[metric]['lm_eval']:.4f}"
    rows[model] = (f"| {model} | {result['questions']} | {result['choices']} | "
                   f"{result['largest_log_likelihood_difference']:.1e} | {pair('mc1')} | {pair('mc2')} | "
                   f"{result['lem_seconds']} s | {result['lm_eval_seconds']} s | {result['ratio']} |")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}"
                         for name in ("lm_eval", "torch", "transformers"))
    note = (f"\nWritten by `scripts/compat_lm_eval.sh` on {datetime.date.today()}, {result['threads']} "
            f"threads; {versions}."
            + (" Other programs ran beside it: the times are rough.\n" if result["busy"] else "\n"))
    table = HEAD + "".join(rows[name] + "\n" for name in sorted(rows))
    path.write_text(head + BEGIN + "\n" + table + note + tail)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lem", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--questions", type=int, default=25)
    parser.add_argument("--batch-size", default="8")
    parser.add_argument("--out")
    parser.add_argument("--record", help="a document with the marks of the table")
    args = parser.parse_args()
    data = pathlib.Path(os.environ["LEM_DATA"]) / "truthfulqa/v1/mc_task.json"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_tasks(folder, data, args.questions)
        hf = folder / "hf"
        subprocess.run([args.lem, "convert", "--model", args.model, "--mlx-path", str(hf), "--dtype",
                        "float32"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        bench = [args.lem, "bench", "--model", args.model, "--task", "truthfulqa-mc-v1", "--limit",
                 str(args.questions), "--chat-template", "none", "--dtype", "float32", "--out",
                 str(folder / "run"), "--json"]
        ours_seconds = timed(bench, stderr=subprocess.DEVNULL)
        ours_seconds += timed([args.lem, "score", str(folder / "run")], stderr=subprocess.DEVNULL)
        environment = dict(os.environ, HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
        theirs_seconds = timed(
            [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args",
             f"pretrained={hf},dtype=float32", "--tasks", "local_mc1,local_mc2", "--include_path",
             str(folder), "--batch_size", args.batch_size, "--device", "cpu", "--log_samples",
             "--output_path", str(folder / "out")], env=environment, stderr=subprocess.DEVNULL)
        samples = [json.loads(line) for line in open(folder / "run/samples.jsonl")]
        scores = [json.loads(line) for line in open(folder / "run/scores.jsonl")]
        largest, worst, choices, result = 0.0, None, 0, {}
        for metric in ("mc1", "mc2"):
            theirs, accuracy = harness_samples(folder / "out", metric)
            for sample, values in zip(samples, theirs, strict=True):
                ours = [c["log_prob"] for c in sample["choices"] if c["set"] == metric]
                for a, b in zip(ours, values, strict=True):
                    choices += 1
                    if abs(a - b) > largest:
                        largest, worst = abs(a - b), (sample["item"], metric, a, b)
            mine = [s["value"] for s in scores if s["metric"] == f"truthfulqa.{metric}"]
            result[metric] = {"lem": sum(mine) / len(mine), "lm_eval": sum(accuracy) / len(accuracy),
                              "largest_item_difference":
                                  max(abs(a - b) for a, b in zip(mine, accuracy, strict=True))}
        result |= {"questions": args.questions, "choices": choices,
                   "threads": len(os.sched_getaffinity(0)),
                   "busy": os.getloadavg()[1] > len(os.sched_getaffinity(0)) + 1,
                   "largest_log_likelihood_difference": largest,
                   "where": worst, "lem_seconds": round(ours_seconds, 2),
                   "lm_eval_seconds": round(theirs_seconds, 2),
                   "ratio": round(theirs_seconds / ours_seconds, 2)}
    text = json.dumps(result, indent=1)
    print(text)
    if args.out:
        pathlib.Path(args.out).write_text(text + "\n")
    if args.record:
        record(args.record, pathlib.Path(args.model).name.removesuffix(".gguf"), result)
    same = largest <= 1e-3 and all(abs(result[m]["lem"] - result[m]["lm_eval"]) < 1e-4
                                   for m in ("mc1", "mc2"))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
