# SPDX-License-Identifier: EUPL-1.2
"""The part lm-eval: TruthfulQA MC1 + MC2 and GSM8K generation by lem and by lm-evaluation-harness, the same items, both end to end."""
import glob
import json
import os
import pathlib
import shutil

from programs import Refused, process

TRUTHFULQA = """include: {original}
task: local_{metric}
dataset_path: json
dataset_name: null
dataset_kwargs:
  data_files: {{validation: {data}}}
"""
GSM8K = """task: local_gsm8k
dataset_path: json
dataset_kwargs:
  data_files: {{test: {data}}}
output_type: generate_until
test_split: test
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs:
  until: ["Question:", "</s>", "<|im_end|>"]
  do_sample: false
  max_gen_toks: {tokens}
metric_list:
  - metric: exact_match
"""


VERSION = "import importlib.metadata, json; print(json.dumps(importlib.metadata.version('lm_eval')))"


def lem_bench(bench, model, task, limit, tokens):
    run = bench.work / f"run-{task}"
    shutil.rmtree(run, ignore_errors=True)
    more = ["--max-tokens", tokens] if task == "gsm8k" else []
    done = bench.run_lem("bench", "--model", bench.gguf(model), "--task", task, "--limit", limit, "--chat-template", "none", "--out", run,
                         "--json", *more)
    score = process([bench.lem, "score", run])
    return {"seconds": done.seconds + score.seconds, "peak_bytes": done.peak_bytes}, [json.loads(line) for line in open(run / "samples.jsonl")]


def write_truthfulqa(bench, tasks, limit):
    questions = json.loads((bench.data / "truthfulqa/v1/mc_task.json").read_text())[:limit]
    data = (tasks / "truthfulqa.jsonl").absolute()
    with open(data, "w") as out:
        for question in questions:
            row = {"question": question["question"]}
            for key in ("mc1_targets", "mc2_targets"):
                row[key] = {"choices": list(question[key]), "labels": list(question[key].values())}
            out.write(json.dumps(row) + "\n")
    found = process([bench.python("lm-eval"), "-c", "import lm_eval.tasks.truthfulqa as t; print(list(t.__path__)[0])"]).out.strip()
    for metric in ("mc1", "mc2"):
        original = pathlib.Path(found) / f"truthfulqa_{metric}.yaml"
        (tasks / f"local_{metric}.yaml").write_text(TRUTHFULQA.format(original=original, metric=metric, data=data))


def write_gsm8k(tasks, samples, tokens):
    """The prompts as lem asked them, byte for byte."""
    data = (tasks / "gsm8k.jsonl").absolute()
    data.write_text("".join(json.dumps({"prompt": s["prompt"], "answer": s.get("reference", "")}) + "\n" for s in samples))
    (tasks / "local_gsm8k.yaml").write_text(GSM8K.format(data=data, tokens=tokens))


def harness(bench, folder, tasks, names):
    out = bench.work / "lm-eval-out"
    shutil.rmtree(out, ignore_errors=True)
    done = bench.client_command("lm-eval", "-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={folder},dtype=bfloat16", "--tasks", names,
                                "--include_path", tasks, "--batch_size", 16, "--device", "cpu", "--output_path", out,
                                OMP_NUM_THREADS=str(bench.threads_used), HF_DATASETS_CACHE=str((bench.work / "hf-datasets").absolute()))
    results = json.loads(pathlib.Path(glob.glob(f"{out}/**/results_*.json", recursive=True)[0]).read_text())
    metrics = {f"{task}.{name}": value for task, values in results["results"].items() for name, value in values.items() if isinstance(value, float)}
    return {"seconds": done.seconds, "peak_bytes": done.peak_bytes, "metrics": metrics,
            "versions": {"lm-eval": json.loads(bench.client_command("lm-eval", "-c", VERSION).out)}}


def measure(bench):
    model = bench.models[0]
    questions, problems, tokens = (2, 2, 16) if bench.quick else (100, 20, 400)
    tasks = bench.work / "lm-eval-tasks"
    tasks.mkdir(exist_ok=True)
    works = {"TruthfulQA MC1 + MC2": ("truthfulqa-mc-v1", questions, "local_mc1,local_mc2"), "GSM8K generation": ("gsm8k", problems, "local_gsm8k")}
    found = {name: {"items": limit, "lem": [], "lm-eval": []} for name, (_, limit, _) in works.items()}
    os.environ["LEM_DATA"] = str(bench.data)
    for _ in range(bench.args.repeats):
        for name, (task, limit, local) in works.items():
            made, samples = lem_bench(bench, model, task, limit, tokens)
            found[name]["lem"].append(made)
            if "reason" in found[name]:
                continue
            try:
                if task == "gsm8k":
                    write_gsm8k(tasks, samples, tokens)
                else:
                    write_truthfulqa(bench, tasks, limit)
                found[name]["lm-eval"].append(harness(bench, bench.folder(model), tasks, local))
            except Refused as refusal:
                found[name]["reason"] = str(refusal)
            bench.say(name, made, found[name]["lm-eval"][-1:], found[name].get("reason", ""))
    return {"model": model, "works": found}
