#!/usr/bin/env python3
# SPDX-License-Identifier: EUPL-1.2
"""Writes tests/fixtures/real_goldens.json: what transformers computes in float32 with the dequantised
weights of the two default models: total log-probabilities of texts, and greedy continuations.

    venv/bin/pip install torch transformers safetensors gguf sentencepiece protobuf
    venv/bin/python scripts/make_real_goldens.py MODELS_FOLDER

The GGUF's changes are undone first: the 1 that was added to Gemma's norms, and the permutation of
Llama's query and key rows (adjacent pairs instead of halves).
"""
import json
import pathlib
import sys

import gguf
import numpy as np
import torch
import transformers

MODELS = {"smollm2": "smollm2-135m-instruct.q4_1.gguf", "gemma3": "gemma-3-270m.q4_k_m.gguf"}
TEXTS = [
    "The capital of France is Paris, and the river that runs through it is the Seine.",
    "def fibonacci(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n",
    "A bag holds 12 apples. Anna takes a third of them and Ben takes half of what is left. "
    "How many apples remain? Anna takes 4, 8 are left; Ben takes 4; so 4 apples remain.",
    "Der alte Mann ging langsam \u00fcber die Br\u00fccke und dachte an seine Jugend.",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01\u8fd9\u662f\u4e00\u4e2a\u6d4b\u8bd5\u3002",
    "To be honest with someone is to treat them as able to bear the truth, and to be kind is to choose "
    "how it reaches them; neither asks us to give up the other.",
    "{\"name\": \"kernel\", \"version\": 3, \"tags\": [\"ethics\", \"local\"], \"size\": 1024}",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
    "Emoji \U0001f600 and symbols \u2211 x\u00b2 \u2264 \u221e, tabs\tand\nnew lines.",
    "Water boils at 100 degrees Celsius at sea level; on a high mountain it boils sooner, because the "
    "air presses less.",
    "O",
    "She asked whether the letter had arrived. It had not. She asked again the next day, and the next, "
    "until asking became a way of greeting the house.",
]
PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "Question: What is 7 times 8?\nAnswer:",
    "The three most important things about friendship are",
]
# A prompt of more than 600 tokens, so that Gemma's windows of 512 wrap.
LONG = " ".join(
    f"On day {i} the keeper wrote: wind from the {side}, {i * 3 % 17} ships passed, lamp lit at {6 + i % 3}."
    for i, side in enumerate(["north", "east", "south", "west", "north-east"] * 7, 1))


def undo_permutation(w, heads):
    """GGUF row h*hd + 2i + half -> Hugging Face row h*hd + half*hd/2 + i."""
    out, *rest = w.shape
    return w.reshape(heads, out // heads // 2, 2, *rest).swapaxes(1, 2).reshape(w.shape)


def field(reader, key):
    value = reader.fields[key]
    return value.contents()


def load(path):
    reader = gguf.GGUFReader(str(path))
    arch = field(reader, "general.architecture")
    config = transformers.AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
    gemma = arch == "gemma3"
    if gemma:  # what the file leaves to its reader
        config = transformers.Gemma3TextConfig(
            vocab_size=262144, hidden_size=640, intermediate_size=2048, num_hidden_layers=18,
            num_attention_heads=4, num_key_value_heads=1, head_dim=256, sliding_window=512,
            max_position_embeddings=32768, query_pre_attn_scalar=256,
            layer_types=["full_attention" if (i + 1) % 6 == 0 else "sliding_attention"
                         for i in range(18)])
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    names = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
    inside = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
              "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
              "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
              "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
              "post_attention_norm": "post_attention_layernorm",
              "ffn_norm": "pre_feedforward_layernorm" if gemma else "post_attention_layernorm",
              "post_ffw_norm": "post_feedforward_layernorm"}
    state = {}
    for tensor in reader.tensors:
        w = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        base = tensor.name.removesuffix(".weight")
        if base in names:
            name = names[base]
        else:
            _, layer, leaf = base.split(".")
            name = f"model.layers.{layer}.{inside[leaf]}"
            if not gemma and leaf == "attn_q":
                w = undo_permutation(w, config.num_attention_heads)
            if not gemma and leaf == "attn_k":
                w = undo_permutation(w, config.num_key_value_heads)
        if gemma and "norm" in base:
            w = w - np.float32(1)
        state[name + ".weight"] = torch.from_numpy(np.ascontiguousarray(w))
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return model


def main(folder):
    torch.set_num_threads(2)
    out = {}
    for name, file in MODELS.items():
        path = pathlib.Path(folder) / file
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file)
        model = load(path)
        cases = {"texts": [], "greedy": []}
        with torch.no_grad():
            for text in TEXTS:
                ids = tokenizer(text).input_ids
                logp = model(torch.tensor([ids])).logits[0].log_softmax(-1)
                terms = [float(logp[i, t]) for i, t in enumerate(ids[1:])]
                cases["texts"].append({"ids": ids, "log_prob": sum(terms)})
            for prompt in PROMPTS + [LONG]:
                ids = tokenizer(prompt).input_ids
                made = model.generate(torch.tensor([ids]), max_new_tokens=64, do_sample=False,
                                      eos_token_id=None, pad_token_id=0)[0, len(ids):].tolist()
                cases["greedy"].append({"ids": ids, "continuation": made})
                print(name, len(ids), repr(tokenizer.decode(made))[:100], flush=True)
        print(name, [round(t["log_prob"], 2) for t in cases["texts"]], flush=True)
        out[name] = cases
    target = pathlib.Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "real_goldens.json"
    target.write_text(json.dumps(out, separators=(",", ":")) + "\n")


main(sys.argv[1])
