#!/usr/bin/env python3
# SPDX-License-Identifier: EUPL-1.2
"""Compares lem's log-likelihoods of TruthfulQA's choices with lm-evaluation-harness's. Run by
compat_lm_eval.sh. Exits 1 if a choice differs by more than 1e-3, or MC1 or MC2 by more than 1e-4."""
import argparse
import glob
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lem", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--questions", type=int, default=25)
    parser.add_argument("--batch-size", default="8")
    parser.add_argument("--out")
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
        timed([args.lem, "score", str(folder / "run")], stderr=subprocess.DEVNULL)
        environment = dict(os.environ, HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
        theirs_seconds = timed(
            [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args",
             f"pretrained={hf},dtype=float32", "--tasks", "local_mc1,local_mc2", "--include_path",
             str(folder), "--batch_size", args.batch_size, "--device", "cpu", "--log_samples",
             "--output_path", str(folder / "out")], env=environment, stderr=subprocess.DEVNULL)
        samples = [json.loads(line) for line in open(folder / "run/samples.jsonl")]
        scores = [json.loads(line) for line in open(folder / "run/scores.jsonl")]
        largest, worst, result = 0.0, None, {}
        for metric in ("mc1", "mc2"):
            theirs, accuracy = harness_samples(folder / "out", metric)
            for sample, values in zip(samples, theirs, strict=True):
                ours = [c["log_prob"] for c in sample["choices"] if c["set"] == metric]
                for a, b in zip(ours, values, strict=True):
                    if abs(a - b) > largest:
                        largest, worst = abs(a - b), (sample["item"], metric, a, b)
            mine = [s["value"] for s in scores if s["metric"] == f"truthfulqa.{metric}"]
            result[metric] = {"lem": sum(mine) / len(mine), "lm_eval": sum(accuracy) / len(accuracy),
                              "largest_item_difference":
                                  max(abs(a - b) for a, b in zip(mine, accuracy, strict=True))}
        result |= {"questions": args.questions, "largest_log_likelihood_difference": largest,
                   "where": worst, "lem_seconds": round(ours_seconds, 2),
                   "lm_eval_seconds": round(theirs_seconds, 2),
                   "ratio": round(theirs_seconds / ours_seconds, 2)}
    text = json.dumps(result, indent=1)
    print(text)
    if args.out:
        pathlib.Path(args.out).write_text(text + "\n")
    same = largest <= 1e-3 and all(abs(result[m]["lem"] - result[m]["lm_eval"]) < 1e-4
                                   for m in ("mc1", "mc2"))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
