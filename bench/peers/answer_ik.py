# SPDX-License-Identifier: EUPL-1.2
"""ik_llama.cpp (its PyPI wheel) on the same GGUF: prompt, one sequence, a batch. Called by run.py with a job (see job.py).

Only llama_decode is timed; choosing the next token in Python is not.
"""
import importlib.metadata
import time

import numpy as np
from ik_llama_cpp import _ctypes_api as api

from job import finish, read_job

job = read_job()
api.llama_backend_init()
settings = api.llama_model_default_params()
settings.use_mmap = True
settings.repack_tensors = True  # its own run-time layout of the weights
model = api.llama_model_load_from_file(job["gguf"].encode(), settings)
if not model:
    raise SystemExit(f"ik_llama.cpp: {job['gguf']} is refused")
vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))


def context(sequences):
    settings = api.llama_context_default_params()
    settings.n_ctx = max(1024, sequences * 512)
    settings.n_batch = 2048
    settings.n_ubatch = 512
    settings.n_seq_max = sequences
    settings.n_threads = settings.n_threads_batch = job["threads"]
    settings.flash_attn = sequences == 1  # with several sequences its flash attention aborts (GGML_ASSERT(S > 0))
    made = api.llama_init_from_model(model, settings)
    if not made:
        raise SystemExit("ik_llama.cpp: no context")
    return made


contexts = {}


def context_of(sequences):
    if sequences not in contexts:
        for old in contexts.values():
            api.llama_free(old)
        contexts.clear()
        contexts[sequences] = context(sequences)
    api.llama_kv_cache_clear(contexts[sequences])
    return contexts[sequences]


def fill(batch, rows):
    """rows: (id, position, sequence, whether its logits are wanted)"""
    batch.n_tokens = len(rows)
    for i, (token, position, sequence, wanted) in enumerate(rows):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, position, 1, sequence, wanted


def decode(ctx, batch):
    begin = time.perf_counter()
    if api.llama_decode(ctx, batch) != 0:
        raise SystemExit("ik_llama.cpp: llama_decode failed")
    api.llama_get_logits_ith(ctx, batch.n_tokens - 1)  # waits for the result
    return time.perf_counter() - begin


def best(ctx, row):
    return int(np.ctypeslib.as_array(api.llama_get_logits_ith(ctx, row), (vocab,)).argmax())


batch = api.llama_batch_init(2048, 0, 1)


def prompt(ids):
    ctx = context_of(1)
    fill(batch, [(token, i, 0, i == len(ids) - 1) for i, token in enumerate(ids)])
    return decode(ctx, batch)


def generate(sequences, tokens):
    ctx, seconds, last = context_of(len(sequences)), 0.0, []
    rows = [(token, i, s, i == len(ids) - 1) for s, ids in enumerate(sequences) for i, token in enumerate(ids)]
    fill(batch, rows)
    seconds += decode(ctx, batch)
    last = [best(ctx, i) for i, row in enumerate(rows) if row[3]]
    for step in range(tokens - 1):
        fill(batch, [(last[s], len(ids) + step, s, True) for s, ids in enumerate(sequences)])
        seconds += decode(ctx, batch)
        last = [best(ctx, s) for s in range(len(sequences))]
    return seconds


finish(job, prompt, generate, {"ik-llama-cpp-python": importlib.metadata.version("ik-llama-cpp-python"), "build": "the wheel: AVX2, no AVX-512"})
