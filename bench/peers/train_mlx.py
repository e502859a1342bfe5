# SPDX-License-Identifier: EUPL-1.2
"""One step of LoRA with mlx-lm on the CPU, of the pair of rows in the middle by length: prints its seconds. One step is enough: it takes a minute.

  train_mlx.py FOLDER TRAIN.jsonl LAYERS ROWS
"""
import importlib.metadata
import json
import resource
import sys
import time

import mlx.core as mx

mx.set_default_device(mx.cpu)
import mlx.nn as nn  # noqa: E402
import mlx.optimizers as optim  # noqa: E402
from mlx_lm import load  # noqa: E402
from mlx_lm.tuner.trainer import default_loss  # noqa: E402
from mlx_lm.tuner.utils import linear_to_lora_layers  # noqa: E402

folder, data, layers, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
mx.random.seed(0)
model, tokenizer = load(folder)
model.freeze()
linear_to_lora_layers(model, layers, {"rank": 8, "dropout": 0.0, "scale": 20.0})
optimizer = optim.Adam(learning_rate=1e-5)

rows = []
for line in open(data):
    messages = json.loads(line)["messages"]
    ids = tokenizer.apply_chat_template(messages, return_dict=False)
    offset = len(tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=False))
    rows.append((ids, offset))
rows.sort(key=lambda row: len(row[0]))
middle = len(rows) // 4 * 2
pair = rows[middle:middle + 2]
if count:  # a cut pair, to see that the program runs at all
    pair = [(ids[:count], min(offset, count // 2)) for ids, offset in pair]
width = max(len(ids) for ids, _ in pair)
batch = mx.array([ids + [0] * (width - len(ids)) for ids, _ in pair])
lengths = mx.array([[offset, len(ids)] for ids, offset in pair])

begin = time.perf_counter()
(loss, tokens), gradients = nn.value_and_grad(model, default_loss)(model, batch, lengths)
optimizer.update(model, gradients)
mx.eval(loss, model.parameters(), optimizer.state)
print(json.dumps({"seconds_per_step": time.perf_counter() - begin, "tokens": sum(len(ids) for ids, _ in pair), "loss": loss.item(),
                  "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                  "versions": {name: importlib.metadata.version(name) for name in ("mlx", "mlx-lm")}}))
