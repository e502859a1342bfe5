#!/usr/bin/env python3
# SPDX-License-Identifier: EUPL-1.2
"""Records loss curves of the real mlx-lm on the tiny fixtures: tests/fixtures/compat/losses.json.

  make_compat_goldens.py LEM WORK    with the Python of an environment that has mlx-lm

LEM is the program (it converts the fixtures to float32 and gives them a tokenizer's files from
WORK/<fixture>, see tests/support/tiny_model.h); WORK holds the fixtures with their tokenizer.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types

import mlx.core as mx

mx.set_default_device(mx.cpu)
from mlx_lm import lora  # noqa: E402
from mlx_lm.tuner.callbacks import TrainingCallback  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "fixtures" / "compat"

BASE = {"train": True, "batch_size": 2, "num_layers": 2, "learning_rate": 0.001, "save_every": 100,
        "steps_per_eval": 5, "steps_per_report": 1, "val_batches": 2, "iters": 14}
RUNS = [
    ("lora gemma3", "tiny_gemma3", {}),
    ("lora llama, seed 42", "tiny_llama", {"seed": 42}),
    ("dora qwen3", "tiny_qwen3", {"fine_tune_type": "dora"}),
    ("full gemma3", "tiny_gemma3", {"fine_tune_type": "full"}),
    ("full llama", "tiny_llama", {"fine_tune_type": "full", "num_layers": -1}),
    ("masked, accumulated, scheduled", "tiny_llama",
     {"mask_prompt": True, "optimizer": "adamw", "grad_accumulation_steps": 4,
      "lr_schedule": {"name": "cosine_decay", "arguments": [0.01, 3, 0.001], "warmup": 1},
      "optimizer_config": {"adamw": {"betas": [0.9, 0.98], "weight_decay": 0.05,
                                     "bias_correction": True}}}),
    ("muon, cut rows", "tiny_qwen3",
     {"optimizer": "muon", "max_seq_length": 24, "learning_rate": 0.02}),
    ("adafactor, chosen keys", "tiny_gemma3",
     {"optimizer": "adafactor",
      "lora_parameters": {"rank": 4, "scale": 5.0, "dropout": 0.0,
                          "keys": ["self_attn.q_proj", "mlp.down_proj"]}}),
    ("sgd, qwen2", "tiny_qwen2",
     {"optimizer": "sgd", "optimizer_config": {"sgd": {"momentum": 0.9}}, "learning_rate": 0.0005}),
]


class Recorder(TrainingCallback):
    def __init__(self):
        self.losses, self.tokens, self.validations = [], [], []

    def on_train_loss_report(self, info):
        self.losses.append(float(info["train_loss"]))
        self.tokens.append(int(info["trained_tokens"]))

    def on_val_loss_report(self, info):
        self.validations.append(float(info["val_loss"]))


def record(model, options, adapters):
    recorder = Recorder()
    lora.get_reporting_callbacks = lambda *a, **k: recorder
    values = dict(lora.CONFIG_DEFAULTS) | options
    values |= {"model": str(model), "data": str(DATA), "adapter_path": str(adapters)}
    lora.run(types.SimpleNamespace(**values))
    return recorder


def main():
    lem, work = sys.argv[1], pathlib.Path(sys.argv[2])
    runs = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for name, fixture, extra in RUNS:
            model = scratch / fixture
            if not model.exists():
                subprocess.run([lem, "convert", "--model", work / fixture, "--mlx-path", model,
                                "--dtype", "float32"], check=True)
            options = BASE | extra
            recorder = record(model, options, scratch / "adapters")
            shutil.rmtree(scratch / "adapters")
            runs.append({"name": name, "model": fixture, "options": options,
                         "losses": recorder.losses, "tokens": recorder.tokens,
                         "validations": recorder.validations})
    text = {"made_with": "mlx-lm 0.32.2, mlx 0.32.4, float32 on a CPU", "runs": runs}
    (DATA / "losses.json").write_text(json.dumps(text, indent=1))


if __name__ == "__main__":
    main()
