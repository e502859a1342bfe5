# SPDX-License-Identifier: EUPL-1.2
"""transformers in bfloat16 on the CPU: prompt, one sequence, a batch. Called by run.py with a job (see answers.py)."""
import time

import torch
import transformers
from transformers import AutoModelForCausalLM

from job import finish, read_job

job = read_job()
torch.set_num_threads(job["threads"])
torch.manual_seed(0)
model = AutoModelForCausalLM.from_pretrained(job["folder"], dtype=torch.bfloat16).eval()


def prompt(ids):
    begin = time.perf_counter()
    with torch.inference_mode():
        model(input_ids=torch.tensor([ids]), logits_to_keep=1)
    return time.perf_counter() - begin


def generate(sequences, tokens):
    width = max(len(ids) for ids in sequences)
    ids = torch.tensor([[0] * (width - len(ids)) + ids for ids in sequences])
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in sequences])
    begin = time.perf_counter()
    with torch.inference_mode():
        made = model.generate(input_ids=ids, attention_mask=mask, do_sample=False, min_new_tokens=tokens, max_new_tokens=tokens, pad_token_id=0)
    assert made.shape[1] == width + tokens
    return time.perf_counter() - begin


finish(job, prompt, generate, {"transformers": transformers.__version__, "torch": torch.__version__})
