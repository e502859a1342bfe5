# SPDX-License-Identifier: EUPL-1.2
"""OpenVINO GenAI on an exported folder: prompt, one sequence, a batch. Called by run.py with a job (see job.py)."""
import time

import numpy as np
import openvino
import openvino_genai as genai

from job import finish, read_job

job = read_job()
properties = {"INFERENCE_NUM_THREADS": job["threads"], "INFERENCE_PRECISION_HINT": "bf16", "PERFORMANCE_HINT": "LATENCY"}
pipeline = None


def config(tokens):
    made = genai.GenerationConfig()
    made.max_new_tokens, made.min_new_tokens, made.ignore_eos, made.do_sample = tokens, tokens, True, False
    return made


def tensor(ids):
    return openvino.Tensor(np.array([ids], dtype=np.int64))


def single():
    global pipeline
    if not isinstance(pipeline, genai.LLMPipeline):
        pipeline = None
        pipeline = genai.LLMPipeline(job["openvino"], "CPU", **properties)
    return pipeline


def batched():
    global pipeline
    if not isinstance(pipeline, genai.ContinuousBatchingPipeline):
        pipeline = None
        scheduler = genai.SchedulerConfig()
        scheduler.cache_size, scheduler.max_num_seqs, scheduler.max_num_batched_tokens = 2, 64, 2048
        scheduler.enable_prefix_caching = False
        pipeline = genai.ContinuousBatchingPipeline(job["openvino"], scheduler, "CPU", properties)
    return pipeline


def prompt(ids):
    made = single()
    begin = time.perf_counter()
    made.generate(tensor(ids), config(1))
    return time.perf_counter() - begin


def generate(sequences, tokens):
    if len(sequences) == 1:
        made, inputs, settings = single(), tensor(sequences[0]), config(tokens)
    else:
        made, inputs, settings = batched(), [tensor(ids) for ids in sequences], [config(tokens)] * len(sequences)
    begin = time.perf_counter()
    made.generate(inputs, settings)
    return time.perf_counter() - begin


finish(job, prompt, generate, {"openvino-genai": genai.__version__, "openvino": openvino.__version__})
