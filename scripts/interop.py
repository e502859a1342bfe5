# SPDX-License-Identifier: EUPL-1.2
"""Real clients on our files, called by interop.sh: each loads what lem wrote and must give the same greedy ids or text."""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

PROMPTS = ["The capital of France is", "Once upon a time, a small robot", "Three ways to save water at home:"]
TOKENS = 32
TRAIN_ROWS = [
    ("Say hello to Ada.", "Good morning, Ada. The kettle is on and the paper is by the window."),
    ("What is 12 times 7?", "12 times 7 is 84: ten sevens are 70, two more make 14, and 70 and 14 are 84."),
    ("Name a river in Peru.", "The Ucayali is a river in Peru; it meets the Maranon and becomes the Amazon."),
    ("Give me a word for rain.", "Drizzle, if it is light; downpour, if it is not."),
]


def run(command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    return done.stdout


HF_CLIENT = r"""
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, adapter, prompts, tokens = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
if adapter:
    from peft import PeftModel
    model = PeftModel.from_pretrained(model, adapter)
model.eval()
out = []
for prompt in prompts:
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    with torch.no_grad():
        made = model.generate(ids, do_sample=False, max_new_tokens=tokens, pad_token_id=0)[0][ids.shape[1]:].tolist()
    stop = {tokenizer.eos_token_id, *([] if not isinstance(model.generation_config.eos_token_id, list) else model.generation_config.eos_token_id)}
    while made and made[-1] in stop: made.pop()
    out.append({"prompt_ids": ids[0].tolist(), "ids": made})
print(json.dumps(out))
"""

PEFT_MAKER = r"""
import sys, torch
from transformers import AutoModelForCausalLM
from peft import LoraConfig, get_peft_model
torch.manual_seed(1)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
model = get_peft_model(model, LoraConfig(r=4, lora_alpha=16, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM"))
for name, p in model.named_parameters():
    if "lora_B" in name: torch.nn.init.normal_(p, std=0.02)
model.save_pretrained(sys.argv[2])
"""

MLX_CLIENT = r"""
import json, sys
import mlx.core as mx
from mlx_lm import load, generate
folder, adapter, prompts, tokens = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])
model, tokenizer = load(folder, adapter_path=adapter or None)
print(json.dumps([generate(model, tokenizer, prompt=tokenizer.encode(p), max_tokens=tokens, verbose=False) for p in prompts]))
"""

LLAMA_CLIENT = r"""
import json, sys, pathlib, subprocess, os
import xllamacpp as x
gguf, adapter, prompts, tokens = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])
params = x.CommonParams()
params.model.path = gguf
params.n_ctx = 512
params.n_predict = tokens
params.cpuparams.n_threads = 2
params.warmup = False
if adapter:
    lora = x.CommonAdapterLoraInfo(adapter, 1.0)
    params.lora_adapters = [lora]
server = x.Server(params)
out = []
for p in prompts:
    answer = server.handle_completions({"prompt": p, "n_predict": tokens, "temperature": 0, "top_k": 1, "cache_prompt": False})
    answer = json.loads(answer) if isinstance(answer, str) else answer
    out.append(answer.get("content", answer.get("choices", [{}])[0].get("text")))
print(json.dumps(out))
"""


class Interop:
    def __init__(self, args):
        self.lem, self.venvs, self.work = args.lem, pathlib.Path(args.venvs), pathlib.Path(args.work)
        self.rows = []
        env = dict(os.environ, HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", CUDA_VISIBLE_DEVICES="")
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            env.pop(name, None)
        self.env = env

    def python(self, venv, code, *arguments):
        output = run([self.venvs / venv / "bin" / "python", "-c", code, *arguments], env=self.env)
        return json.loads(output.strip().splitlines()[-1]) if output.strip() else None

    def ours(self, model, adapter=None, tokens=TOKENS, prompts=PROMPTS):
        command = [self.lem, "generate", "--model", model, "--dtype", "float32", "--ignore-chat-template", "--json",
                   "--max-tokens", tokens]
        for prompt in prompts:
            command += ["--prompt", prompt]
        if adapter:
            command += ["--adapter-path", adapter]
        return json.loads(run(command))["results"]

    def check(self, model, client, what, same, of):
        self.rows.append((model, client, what, same, of))
        print(f"{model}: {client}: {what}: {same} of {of} the same", flush=True)

    def model(self, name):
        base = self.work / name
        shutil.rmtree(base, ignore_errors=True)
        base.mkdir(parents=True)
        data = base / "data"
        data.mkdir()
        (data / "train.jsonl").write_text("".join(json.dumps(
            {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}) + "\n" for q, a in TRAIN_ROWS))
        run([self.lem, "convert", "--model", name, "--mlx-path", base / "hf", "--dtype", "float32"])
        run([self.lem, "train", "--model", name, "--train", "--data", data, "--iters", 12, "--batch-size", 2, "--dtype",
             "float32", "--learning-rate", "2e-4", "--num-layers", 4, "--mask", "assistant", "--adapter-path", base / "adapter"])
        run([self.lem, "fuse", "--model", base / "hf", "--adapter-path", base / "adapter", "--save-path", base / "fused"])
        self.transformers(name, base)
        self.peft(name, base)
        self.llama(name, base)
        self.mlx(name, base)

    def same_ids(self, theirs, ours):
        return sum(t["ids"] == o["ids"] for t, o in zip(theirs, ours))

    def transformers(self, name, base):
        theirs = self.python("hf", HF_CLIENT, base / "hf", "", json.dumps(PROMPTS), TOKENS)
        self.check(name, "transformers", "converted folder", self.same_ids(theirs, self.ours(name)), len(PROMPTS))
        theirs = self.python("hf", HF_CLIENT, base / "fused", "", json.dumps(PROMPTS), TOKENS)
        self.check(name, "transformers", "fused folder", self.same_ids(theirs, self.ours(base / "fused")), len(PROMPTS))

    def peft(self, name, base):
        run([self.lem, "adapter", "--model", name, "--adapter-path", base / "adapter", "--format", "peft", "--to", base / "peft"])
        theirs = self.python("hf", HF_CLIENT, base / "hf", base / "peft", json.dumps(PROMPTS), TOKENS)
        self.check(name, "PEFT", "our adapter", self.same_ids(theirs, self.ours(name, base / "adapter")), len(PROMPTS))
        self.python("hf", PEFT_MAKER, base / "hf", base / "made_by_peft")
        theirs = self.python("hf", HF_CLIENT, base / "hf", base / "made_by_peft", json.dumps(PROMPTS), TOKENS)
        self.check(name, "PEFT", "its adapter in lem", self.same_ids(theirs, self.ours(name, base / "made_by_peft")), len(PROMPTS))

    def llama(self, name, base):
        run([self.lem, "convert", "--model", base / "hf", "--gguf", base / "base.gguf", "--gguf-type", "f32"])
        run([self.lem, "adapter", "--model", name, "--adapter-path", base / "adapter", "--format", "gguf", "--to", base / "adapter.gguf"])
        same_text = lambda theirs, ours: sum(t.strip() == o["text"].strip() for t, o in zip(theirs, ours))
        theirs = self.python("llama", LLAMA_CLIENT, base / "base.gguf", "", json.dumps(PROMPTS), TOKENS)
        self.check(name, "llama.cpp", "float32 GGUF", same_text(theirs, self.ours(base / "base.gguf")), len(PROMPTS))
        theirs = self.python("llama", LLAMA_CLIENT, base / "base.gguf", base / "adapter.gguf", json.dumps(PROMPTS), TOKENS)
        self.check(name, "llama.cpp", "GGUF adapter", same_text(theirs, self.ours(base / "base.gguf", base / "adapter.gguf")), len(PROMPTS))

    def mlx(self, name, base):
        tokens = 12  # the CPU build of mlx takes about a second a token
        for what, folder, adapter in (("fused folder", base / "fused", ""), ("our adapter", base / "hf", base / "adapter")):
            theirs = self.python("mlx", MLX_CLIENT, folder, adapter, json.dumps(PROMPTS[:2]), tokens)
            ours = self.ours(folder, adapter or None, tokens, PROMPTS[:2])
            self.check(name, "mlx-lm", what, sum(t.strip() == o["text"].strip() for t, o in zip(theirs, ours)), 2)

    def versions(self):
        code = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
        found = {}
        for venv, packages in (("hf", ["torch", "transformers", "peft"]), ("mlx", ["mlx", "mlx-lm"]), ("llama", ["xllamacpp"])):
            found.update(self.python(venv, code, *packages))
        return found

    def write(self, out):
        lines = ["# Other programs on our files", "",
                 f"Written by `scripts/interop.sh` on {datetime.date.today()} ({platform.machine()}, Python {platform.python_version()}). "
                 f"Each program loads what `lem` wrote (or the other way round) in float32 and continues {len(PROMPTS)} prompts greedily "
                 f"by {TOKENS} tokens (mlx-lm: 2 prompts, 12 tokens).", "",
                 "| model | program | file | same text |", "|---|---|---|--:|"]
        lines += [f"| {m} | {c} | {w} | {s} of {n} |" for m, c, w, s, n in self.rows]
        lines += ["", "Versions: " + ", ".join(f"{k} {v}" for k, v in self.versions().items()) + "; " +
                  run([self.lem, "--version"]).strip() + ".", ""]
        pathlib.Path(out).write_text("\n".join(lines))


def main():
    parser = argparse.ArgumentParser()
    for flag in ("--lem", "--venvs", "--work", "--out"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--model", action="append")
    args = parser.parse_args()
    interop = Interop(args)
    for name in args.model or ["smollm2-135m-instruct", "gemma-3-270m"]:
        interop.model(name)
    interop.write(args.out)
    return 0 if all(same == of for *_, same, of in interop.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
