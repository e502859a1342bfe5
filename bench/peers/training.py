# SPDX-License-Identifier: EUPL-1.2
"""The parts that train: beside transformers + PEFT and mlx-lm on the same rows; lem alone at many sizes; and at large real shapes."""
import json
import math
import shutil

from programs import Refused, last_json

LAYERS = 16


def gsm8k_rows(bench, count):
    data = bench.work / "data"
    data.mkdir(exist_ok=True)
    (data / "train.jsonl").write_text("".join(json.dumps({"messages": [
        {"role": "user", "content": r["question"]}, {"role": "assistant", "content": r["answer"]}]}) + "\n" for r in bench.gsm8k()[:count]))
    return data


def lem_arguments(model, data, *, batch, layers, iters, more=()):
    return ["--model", model, "--train", "--data", data, "--batch-size", batch, "--iters", iters, "--num-layers", layers, "--val-batches", 0, *more]


def targets_of(steps):
    return sum(r["tokens"] for r in steps)


def seconds_of(steps):
    return sum(r["tokens"] / r["tokens_per_second"] for r in steps)


def lem_train(bench, arguments, skip=1, epoch=0, **options):
    """Seconds a step without the first `skip`, by lem's own log, whose tokens are the targets. `epoch`: steps that see every row once; the time
    is then that of the first epoch at its mean number of targets, so that it does not matter which batch was skipped, and later epochs, which
    find the frozen blocks' outputs kept, are told apart."""
    log, adapter = bench.work / "log.jsonl", bench.work / "adapter"
    shutil.rmtree(adapter, ignore_errors=True)
    done = bench.run_lem("train", *arguments, "--log", log, "--adapter-path", adapter, **options)
    rows = [json.loads(line) for line in open(log)]
    steps = [r for r in rows if "loss" in r and "tokens_per_second" in r]
    first, later = steps[skip:epoch or len(steps)], steps[epoch:] if epoch else []
    mean = targets_of(steps[:epoch]) / epoch if epoch else targets_of(first) / len(first)
    return {"seconds_per_step": seconds_of(first) / targets_of(first) * mean, "targets": mean,
            "seconds_per_step_later": seconds_of(later) / len(later) if later else None, "peak_bytes": done.peak_bytes,
            "steps": len(steps), "seconds": done.seconds, "loss": steps[-1]["loss"]} | ({"out": done.out} if "--json" in arguments else {})


def plan_of(bench, arguments):
    return json.loads(bench.run_lem("train", *arguments, "--plan", "--json").out)


def client_run(bench, model, out, key, *arguments):
    """Of a peer; a refusal becomes the reason why there is no number, and it is not asked again."""
    if key in out["reasons"]:
        return
    try:
        made = last_json(bench.client(*arguments).out)
        if not all(math.isfinite(made[loss]) for loss in ("loss", "first_loss") if loss in made):
            raise Refused("its loss is not finite")
        out[key].append(made)
        bench.say(model, key, made)
    except Refused as refusal:
        out["reasons"][key] = str(refusal)
        bench.say(model, key, refusal)


def budget_of(bench, arguments, steps):
    """Seconds, operations and bytes of each kind of work in a step of the first epoch, and the seconds that are none of them."""
    done = lem_train(bench, arguments, skip=0)
    parts = last_json(done.pop("out"))["profile"]
    whole = done["seconds_per_step"]
    return {"seconds_per_step": whole, "rest": whole - sum(p["seconds"] for p in parts) / steps,
            "parts": [{"work": p["work"], **{key: p[key] / steps for key in ("calls", "seconds", "operations", "bytes")}} for p in parts]}


def measure_peers(bench, model):
    sizes = bench.sizes(model)
    data, gguf, folder = gsm8k_rows(bench, sizes.rows), bench.gguf(model), bench.folder(model)
    arguments = lem_arguments(gguf, data, batch=2, layers=LAYERS, iters=sizes.rows, more=["--mask", "prompt"])
    epoch = lem_arguments(gguf, data, batch=2, layers=LAYERS, iters=sizes.rows // 2, more=["--mask", "prompt"])
    plan = plan_of(bench, epoch)
    out = {"lem": [], "peft": [], "mlx": [], "flops_per_step": plan["flops"] / plan["iterations"], "tokens_per_step": plan["tokens_per_iteration"],
           "planned_bytes": plan_of(bench, arguments)["memory_bytes"]["total"], "reasons": {}, "random": bench.is_shape(model), "rows": sizes.rows,
           "cut": sizes.cut}
    for _ in range(bench.args.repeats):
        out["lem"].append(lem_train(bench, arguments, epoch=sizes.rows // 2))
        bench.say(model, "lem", out["lem"][-1])
        if not math.isfinite(out["lem"][-1]["loss"]):
            raise Refused(f"lem's loss on {model} is not finite")
        client_run(bench, model, out, "peft", "hf", "train_peft.py", folder, data / "train.jsonl", bench.threads_used, LAYERS)
    out["budget"] = budget_of(bench, [*epoch, "--profile", "--json"], sizes.rows // 2)
    client_run(bench, model, out, "mlx", "mlx", "train_mlx.py", folder, data / "train.jsonl", LAYERS, sizes.cut)
    return out


def text_rows(bench, name, count, words):
    """Plain rows so long that --max-seq-length cuts them all to one length."""
    data = bench.work / name
    data.mkdir(exist_ok=True)
    text = " ".join(bench.questions()).split()
    (data / "train.jsonl").write_text("".join(json.dumps({"text": " ".join(text[31 * i:31 * i + words])}) + "\n" for i in range(count)))
    return data


def training_points(quick, layers):
    base = {"length": 256, "batch": 2, "rank": 8, "layers": 16, "threads": 0}
    if quick:
        return [("length", base | {"length": 32}), ("rank", base | {"length": 32, "rank": 4})]
    points = [("length", base | {"length": n}) for n in (128, 256, 512, 1024)]
    points += [("batch", base | {"batch": n}) for n in (1, 2, 4, 8)]
    points += [("rank", base | {"rank": n}) for n in (4, 8, 16, 32)]
    points += [("layers", base | {"layers": n}) for n in sorted({4, 8, 16, layers})]
    return points + [("threads", base | {"threads": n}) for n in (1, 2)]


def measure_scaling(bench, model):
    gguf, data = bench.gguf(model), text_rows(bench, "long-rows", 24, 1400)
    layers = json.loads((bench.folder(model) / "config.json").read_text())["num_hidden_layers"]
    out, seen = [], {}
    for varied, point in training_points(bench.quick, layers):
        key = tuple(point.values())
        if point["threads"] > bench.threads_used:
            continue
        if key not in seen:
            settings = bench.work / "scaling.yaml"
            settings.write_text(f"lora_parameters:\n  rank: {point['rank']}\n  scale: 20.0\n  dropout: 0.0\n")
            arguments = lem_arguments(gguf, data, batch=point["batch"], layers=point["layers"], iters=2 if bench.quick else 3,
                                      more=["--max-seq-length", point["length"], "--config", settings])
            seen[key] = lem_train(bench, arguments, threads=point["threads"] or bench.threads)
        out.append({"varied": varied, **point, **seen[key]})
        bench.say(model, out[-1])
    return out


# shape, batch, length, memory, steps: without --grad-checkpoint the plans are 7 and 21 GB
SHAPE_RUNS = [("gemma-3-1b", 2, 2048, 4e9, 2), ("gemma-3-27b", 1, 1024, 20e9, 1)]


def shape_run(bench, name, batch, length, limit, steps):
    gguf = bench.shape(name)
    if bench.quick:
        length = 64
    data = text_rows(bench, f"rows-{length}", batch * steps, 2 * length)  # one epoch: no step finds frozen outputs kept
    more = ["--grad-checkpoint"]
    arguments = lem_arguments(gguf, data, batch=batch, layers=16, iters=steps, more=["--max-seq-length", length, *more])
    plan = plan_of(bench, arguments)
    out = {"shape": name, "batch": batch, "length": length, "limit_bytes": limit, "flags": more, "gguf_bytes": gguf.stat().st_size,
           "plan": plan["memory_bytes"], "flops_per_step": plan["flops"] / plan["iterations"], "available_bytes": plan["memory_bytes"]["available"]}
    if plan["memory_bytes"]["total"] <= limit:
        out |= lem_train(bench, arguments, skip=steps - 1, timeout=3600)
    else:
        out["reason"] = "the plan is over the limit"
    return out


def measure_shapes(bench):
    found = []
    for name, batch, length, limit, steps in SHAPE_RUNS:
        if bench.args.shapes and name not in bench.args.shapes.split(","):
            continue
        try:
            found.append(shape_run(bench, name, batch, length, limit, steps))
        except Refused as refusal:
            found.append({"shape": name, "batch": batch, "length": length, "limit_bytes": limit, "reason": str(refusal)})
        bench.say(found[-1])
    return found
