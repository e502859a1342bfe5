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


def whole(bench, gguf, prompts, tokens):
    """Of each prompt, whether lem's greedy answer runs to `tokens` tokens in every --dtype."""
    made = [lem_generate(bench, gguf, prompts, tokens, len(prompts), dtype)["results"] for dtype in LEM.values()]
    return [all(r["generation_tokens"] == tokens for r in answer) for answer in zip(*made, strict=True)]


def sixteen(bench, gguf, candidates, tokens, count):
    """`count` short prompts whose answers, made together, run to `tokens` tokens, so that every program does the same work."""
    chosen, left = [], list(dict.fromkeys(candidates))
    while len(chosen) < count:
        wanted = count - len(chosen)
        if wanted > len(left):
            raise Refused(f"only {len(chosen)} prompts have answers of {tokens} tokens")
        chosen, left = chosen + left[:wanted], left[wanted:]
        chosen = [p for p, kept in zip(chosen, whole(bench, gguf, chosen, tokens), strict=True) if kept]
    return chosen


def lem_generate(bench, gguf, prompts, tokens, batch, dtype="bfloat16", **options):
    rows = bench.work / "prompts.jsonl"
    rows.write_text("".join(json.dumps({"prompt": p}) + "\n" for p in prompts))
    return json.loads(bench.run_lem("generate", "--model", gguf, "--dtype", dtype, "--ignore-chat-template", "--json", "--max-tokens", tokens,
                                    "--batch-size", batch, "--prompts", rows, **options).out)


def write_material(bench, gguf, sizes, kept):
    """The answers' lengths are looked at each time: they may change with lem."""
    questions, before = bench.questions(), json.loads(kept.read_text()) if kept.exists() else None
    if before and (before["tokens"], len(before["texts"]["prompts"]), len(before["texts"]["many"])) != (sizes.tokens, sizes.prompts, sizes.sequences):
        before = None
    prompts = before["texts"]["prompts"] if before else [
        text_of(bench, gguf, " ".join(questions[20 * i:20 * i + 20]).split(), sizes.length) for i in range(sizes.prompts)]
    candidates = [" ".join(q.split()[:12]) for q in questions[:6 * sizes.sequences]]
    many = sixteen(bench, gguf, (before["texts"]["many"] if before else []) + candidates, sizes.tokens, sizes.sequences)
    one = next((p for p in many if whole(bench, gguf, [p], sizes.tokens)[0]), many[0])
    texts = {"prompts": prompts, "one": one, "many": many}
    if before is None or texts != before["texts"]:
        kept.write_text(json.dumps({"texts": texts, "tokens": sizes.tokens, "ids": {
            "prompts": [tokenize(bench, gguf, p) for p in prompts], "one": tokenize(bench, gguf, one), "many": [tokenize(bench, gguf, p) for p in many]}}))


def material(bench, model, gguf):
    """Texts for lem and ids for the peers; kept, because lem's tokenizer is asked often."""
    sizes, kept = bench.sizes(model), bench.work / f"texts-{gguf.stem}{'-quick' if bench.quick else ''}.json"
    write_material(bench, gguf, sizes, kept)
    return json.loads(kept.read_text())


def run_lem(bench, gguf, given, works, dtype):
    texts, tokens, out = given["texts"], given["tokens"], {}
    jobs = {"prompt": (texts["prompts"], 1, 1, "prompt_tps"), "decode": ([texts["one"]], tokens, 1, "generation_tps"),
            "batch": (texts["many"], tokens, len(texts["many"]), "generation_tps")}
    for work in works:
        prompts, length, batch, field = jobs[work]
        made = lem_generate(bench, gguf, prompts, length, batch, dtype=dtype)
        if short := [r["generation_tokens"] for r in made["results"] if r["generation_tokens"] != length]:
            raise Refused(f"an answer ended after {short[0]} of {length} tokens")
        out[work] = made[field]
        out["peak_bytes"] = max(out.get("peak_bytes", 0), made["peak_memory_bytes"])
    return out


def run_peer(bench, peer, model, gguf, given, works):
    _, venv, script, form = peer
    job = {"work": works, "tokens": given["tokens"], "threads": bench.threads_used, "inner": bench.sizes(model).inner, "gguf": str(gguf), **given["ids"]}
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


def run_program(bench, model, gguf, given, works, name):
    if name in LEM:
        return run_lem(bench, gguf, given, works, LEM[name])
    return run_peer(bench, next(peer for peer in PEERS if peer[0] == name), model, gguf, given, works)


def measure(bench, model, works):
    """{program: {"runs": [...], "reason": why it has none or not all}} and what they were given."""
    gguf = bench.gguf(model)
    given = material(bench, model, gguf)
    programs = {name: {"runs": []} for name in [*LEM, *(peer[0] for peer in PEERS)]}
    for _ in range(bench.args.repeats):
        for name, found in programs.items():
            if found.get("reason"):
                continue
            try:
                found["runs"].append(run_program(bench, model, gguf, given, works, name))
                if "problem" in found["runs"][-1]:
                    found["reason"] = found["runs"][-1].pop("problem")
            except Refused as refusal:
                found["reason"] = str(refusal)
            bench.say(model, name, found["runs"][-1:], found.get("reason", ""))
    return {"programs": programs, "gguf": gguf.name, "gguf_bytes": gguf.stat().st_size, "random": bench.is_shape(model),
            "prompts": len(given["texts"]["prompts"]), "prompt_tokens": len(given["ids"]["prompts"][0]), "tokens": given["tokens"],
            "sequences": len(given["ids"]["many"]), "inner": bench.sizes(model).inner}
