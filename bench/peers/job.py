# SPDX-License-Identifier: EUPL-1.2
"""What every peer's program shares: the job it is given, and how its rates are counted.

A job is a JSON file: model files, threads, `work` (of prompt, decode, batch), `tokens` to generate, and token ids: `prompts` (several, about
512 tokens each), `one` (one short prompt), `many` (sixteen). Every peer warms up first. The rate of generating is counted between a run of
two tokens and a run of all, so that prompts and set-up are not in it.
"""
import json
import resource
import statistics
import sys


def read_job():
    with open(sys.argv[1]) as file:
        return json.load(file)


def rate(generate, sequences, tokens, repeats):
    generate(sequences, 2)
    seconds = []
    for _ in range(repeats):
        short = generate(sequences, 2)
        seconds.append(generate(sequences, tokens) - short)
    return len(sequences) * (tokens - 2) / statistics.median(seconds)


def finish(job, prompt, generate, versions):
    """prompt(ids) and generate(sequences, tokens) return seconds. Prints the rates in tokens per second after every kind of work, so that a
    program that dies in one kind keeps the others; the last line counts."""
    out = {"versions": versions}
    for work in job["work"]:
        if work == "prompt":
            prompt(job["prompts"][0])
            counted = job["prompts"][1:]
            out[work] = sum(map(len, counted)) / sum(prompt(ids) for ids in counted)
        elif work == "decode":
            out[work] = rate(generate, [job["one"]], job["tokens"], job["inner"])
        else:
            out[work] = rate(generate, job["many"], job["tokens"], 1)
        out["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print("\n" + json.dumps(out), flush=True)
