# SPDX-License-Identifier: EUPL-1.2
"""One epoch of LoRA with transformers + PEFT in bfloat16 on the CPU, as a user would write it: prints seconds per step and peak memory.

Rows are sorted by length and batched by two, the prompt is masked, the adapter sits on all seven projections of the last 16 blocks.
"""
import importlib.metadata
import json
import resource
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, data, threads, layers = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
blocks = model.config.num_hidden_layers
model = get_peft_model(model, LoraConfig(
    r=8, lora_alpha=160, task_type="CAUSAL_LM", layers_to_transform=list(range(blocks - layers, blocks)), layers_pattern="layers",
    target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]))
optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-5)

rows = []
for line in open(data):
    messages = json.loads(line)["messages"]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    prompt = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    rows.append((ids, len(tokenizer(prompt, add_special_tokens=False).input_ids)))
rows.sort(key=lambda row: len(row[0]))


def step(pair):
    width = max(len(ids) for ids, _ in pair)
    ids = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in pair])
    mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in pair])
    labels = torch.tensor([[-100] * offset + ids[offset:] + [-100] * (width - len(ids)) for ids, offset in pair])
    loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


pairs = [rows[i:i + 2] for i in range(0, len(rows) - 1, 2)]
step(pairs[0])
begin = time.perf_counter()
losses = [step(pair) for pair in pairs]
seconds = time.perf_counter() - begin
print(json.dumps({"seconds_per_step": seconds / len(pairs), "tokens": sum(len(ids) for ids, _ in rows), "steps": len(pairs),
                  "seconds": seconds, "first_loss": losses[0],
                  "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                  "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft")}}))
