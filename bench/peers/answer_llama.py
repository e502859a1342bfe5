# SPDX-License-Identifier: EUPL-1.2
"""llama.cpp (the xllamacpp wheel) on the same GGUF: prompt, one sequence, a batch. Called by run.py with a job (see job.py)."""
import concurrent.futures
import gc
import importlib.metadata
import json
import time

import xllamacpp

from job import finish, read_job

job = read_job()


class Server:
    """One server at a time; it is made again when the number of sequences changes."""
    server, slots = None, 0

    def complete(self, ids, tokens):
        answer = self.server.handle_completions({
            "prompt": ids, "n_predict": tokens, "temperature": 0, "top_k": 1, "ignore_eos": True, "cache_prompt": False})
        answer = json.loads(answer) if isinstance(answer, (str, bytes)) else answer
        if "timings" not in answer:
            raise SystemExit(f"llama.cpp: {answer}")
        return answer["timings"]

    def start(self, slots):
        if slots == self.slots:
            return
        self.server = None
        gc.collect()
        params = xllamacpp.CommonParams()
        params.model.path = job["gguf"]
        params.n_parallel = slots
        params.n_ctx = 1024 * (1 if slots == 1 else slots // 2)
        params.n_batch = 2048
        params.n_ubatch = 512
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = job["threads"]
        params.n_gpu_layers = 0
        params.warmup = True
        params.verbosity = 0
        self.server, self.slots = xllamacpp.Server(params), slots


server = Server()


def prompt(ids):
    server.start(1)
    return server.complete(ids, 1)["prompt_ms"] / 1000


def generate(sequences, tokens):
    server.start(len(sequences))
    begin = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(len(sequences)) as pool:
        timings = list(pool.map(lambda ids: server.complete(ids, tokens), sequences))
    assert all(t["predicted_n"] == tokens for t in timings), timings
    return time.perf_counter() - begin


finish(job, prompt, generate, {"xllamacpp": importlib.metadata.version("xllamacpp"),
                               "build": str(xllamacpp.get_system_info()).strip() + " AVX-512 not in this wheel"
                               if "AVX512" not in str(xllamacpp.get_system_info()) else "AVX-512"})
