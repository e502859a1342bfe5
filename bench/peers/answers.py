# SPDX-License-Identifier: EUPL-1.2
"""The parts prompt, decode and batch: lem and every peer answer the same token ids, one program after the other, several times over."""
import json

from programs import Refused, last_json, process

WORK = ("prompt", "decode", "batch")
LEM = {"lem": "bfloat16", "lem, int8": "int8"}  # name on the page, --dtype
# name, virtual environment, script, what the model is given as
PEERS = [
    ("transformers, bf16", "hf", "answer_transformers.py", "folder"),
    ("llama.cpp, same GGUF", "llama", "answer_llama.py", "gguf"),
    ("ik_llama.cpp, same GGUF", "ik", "answer_ik.py", "gguf"),
    ("OpenVINO GenAI, int8", "openvino", "answer_openvino.py", "int8"),
    ("OpenVINO GenAI, bf16", "openvino", "answer_openvino.py", "fp16"),
]


def tokenize(bench, gguf, text):
    return json.loads(process([bench.lem, "tokenize", "--model", gguf, "--text", text, "--json"]).out)["ids"]


def text_of(bench, gguf, words, tokens):
    """The longest beginning of `words` that is at most `tokens` ids long."""
    words = words[:tokens]
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if len(tokenize(bench, gguf, " ".join(words[:middle]))) <= tokens:
            low = middle
        else:
            high = middle - 1
    return " ".join(words[:low])


def sixteen(bench, gguf, questions, tokens, count):
    """Short prompts whose greedy answers run to `tokens` tokens, so that every program does the same work."""
    prompts = [" ".join(q.split()[:12]) for q in questions[:4 * count]]
    made = lem_generate(bench, gguf, prompts, tokens, count)["results"]
    kept = [p for p, r in zip(prompts, made, strict=True) if r["generation_tokens"] == tokens][:count]
    if len(kept) < count:
        raise Refused(f"only {len(kept)} of {len(prompts)} prompts have answers of {tokens} tokens")
    return kept


def lem_generate(bench, gguf, prompts, tokens, batch, dtype="bfloat16", **options):
    rows = bench.work / "prompts.jsonl"
    rows.write_text("".join(json.dumps({"prompt": p}) + "\n" for p in prompts))
    return json.loads(bench.run_lem("generate", "--model", gguf, "--dtype", dtype, "--ignore-chat-template", "--json", "--max-tokens", tokens,
                                    "--batch-size", batch, "--prompts", rows, **options).out)


def material(bench, model, gguf):
    """Texts for lem and ids for the peers; kept, because lem's tokenizer is asked often."""
    tokens, count, length, texts = (12, 4, 64, 3) if bench.quick else (128, 16, 512, 9)
    kept = bench.work / f"texts-{gguf.stem}{'-quick' if bench.quick else ''}.json"
    if not kept.exists():
        questions = bench.questions()
        prompts = [text_of(bench, gguf, " ".join(questions[20 * i:20 * i + 20]).split(), length) for i in range(texts)]
        many = sixteen(bench, gguf, questions, tokens, count)
        kept.write_text(json.dumps({"texts": {"prompts": prompts, "one": many[0], "many": many}, "tokens": tokens,
                                    "ids": {"prompts": [tokenize(bench, gguf, p) for p in prompts], "one": tokenize(bench, gguf, many[0]),
                                            "many": [tokenize(bench, gguf, p) for p in many]}}))
    return json.loads(kept.read_text())


def run_lem(bench, gguf, given, works, dtype):
    texts, tokens, out = given["texts"], given["tokens"], {}
    jobs = {"prompt": (texts["prompts"], 1, 1, "prompt_tps"), "decode": ([texts["one"]], tokens, 1, "generation_tps"),
            "batch": (texts["many"], tokens, len(texts["many"]), "generation_tps")}
    for work in works:
        prompts, length, batch, field = jobs[work]
        made = lem_generate(bench, gguf, prompts, length, batch, dtype=dtype)
        out[work] = made[field]
        out["peak_bytes"] = max(out.get("peak_bytes", 0), made["peak_memory_bytes"])
    return out


def run_peer(bench, peer, model, gguf, given, works):
    _, venv, script, form = peer
    job = {"work": works, "tokens": given["tokens"], "threads": bench.threads_used, "inner": 2, "gguf": str(gguf), **given["ids"]}
    if form == "folder":
        job["folder"] = str(bench.folder(model))
    elif form != "gguf":
        job["openvino"] = str(bench.openvino(model, form))
    path = bench.work / "job.json"
    path.write_text(json.dumps(job))
    done = bench.client(venv, script, path, partial=True)
    out = last_json(done.out)
    if done.problem:
        out["problem"] = done.problem
    return out


def measure(bench, works):
    """{model: {program: {"runs": [...], "reason": why it has none or not all}}}"""
    found = {}
    for model in bench.models:
        gguf = bench.gguf(model)
        given = material(bench, model, gguf)
        programs = {name: {"runs": []} for name in LEM} | {peer[0]: {"runs": []} for peer in PEERS}
        for _ in range(bench.args.repeats):
            for name, dtype in LEM.items():
                programs[name]["runs"].append(run_lem(bench, gguf, given, works, dtype))
            for peer in PEERS:
                if programs[peer[0]].get("reason"):
                    continue
                try:
                    made = run_peer(bench, peer, model, gguf, given, works)
                    programs[peer[0]]["runs"].append(made)
                    if "problem" in made:
                        programs[peer[0]]["reason"] = made.pop("problem")
                except Refused as refusal:
                    programs[peer[0]]["reason"] = str(refusal)
                bench.say(model, peer[0], programs[peer[0]]["runs"][-1:], programs[peer[0]].get("reason", ""))
        found[model] = {"programs": programs, "gguf": gguf.name, "gguf_bytes": gguf.stat().st_size,
                        "prompt_tokens": len(given["ids"]["prompts"][0]), "tokens": given["tokens"], "sequences": len(given["ids"]["many"])}
    return found
