#!/usr/bin/env python3
# SPDX-License-Identifier: EUPL-1.2
"""Writes tests/fixtures/tiny_<family>/: a tiny random model of each family, in the files of Hugging
Face, and what transformers computes with it in float64: every block's output, logits, the loss, each
LoRA gradient, and the losses of ten steps of Adam.

    python3 -m venv venv && venv/bin/pip install torch transformers peft safetensors
    venv/bin/python scripts/make_fixtures.py

The fixtures are committed; this script is how they were made (transformers 5.23, peft 0.21, torch 2.15).
"""
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file

# Transformers computes norms, softmax and rotations in float32 whatever the model's type. Here every
# float32 in its source is to mean float64.
FLOAT32 = torch.float32
torch.float32 = torch.float = torch.float64
torch.Tensor.float = torch.Tensor.double
torch.set_default_dtype(torch.float64)

import transformers  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parents[1] / "tests" / "fixtures"
COMMON = dict(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=4,
              num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
              bos_token_id=1, eos_token_id=2, pad_token_id=0)
ALTERNATING = ["sliding_attention", "full_attention"] * 2
FAMILIES = {
    "gemma3": dict(model_type="gemma3_text", head_dim=12, sliding_window=8, layer_types=ALTERNATING,
                   query_pre_attn_scalar=10, rms_norm_eps=1e-6, tie_word_embeddings=True,
                   rope_parameters={
                       "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                       "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}),
    "gemma2": dict(model_type="gemma2", head_dim=12, sliding_window=8, layer_types=ALTERNATING,
                   query_pre_attn_scalar=14, attn_logit_softcapping=2.0,
                   final_logit_softcapping=3.0, tie_word_embeddings=True),
    "llama": dict(model_type="llama", rms_norm_eps=1e-5, tie_word_embeddings=False,
                  rope_parameters={"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0,
                                   "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                   "original_max_position_embeddings": 16}),
    "mistral": dict(model_type="mistral", head_dim=12, sliding_window=8, rms_norm_eps=1e-5,
                    tie_word_embeddings=False),
    "qwen2": dict(model_type="qwen2", rms_norm_eps=1e-6, tie_word_embeddings=True),
    "qwen3": dict(model_type="qwen3", head_dim=12, rms_norm_eps=1e-6, tie_word_embeddings=True),
}
PROJECTIONS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
               "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
RANK, SCALE, STEPS, LEARNING_RATE = 2, 2.0, 10, 2e-3


class Lora(torch.nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base = base
        self.down = torch.nn.Parameter(torch.randn(RANK, base.in_features) * 0.3)
        self.up = torch.nn.Parameter(torch.randn(base.out_features, RANK) * 0.3)

    def forward(self, x):
        return self.base(x) + SCALE * (x @ self.down.T) @ self.up.T


def random_weights(model):
    """Values that bfloat16 holds exactly, large enough that no branch is negligible."""
    for name, p in model.named_parameters():
        if "norm" in name:
            gemma = model.config.model_type.startswith("gemma")
            value = torch.randn_like(p) * 0.3 + (0.0 if gemma else 1.0)
        else:
            value = torch.randn_like(p) * (0.7 if p.dim() > 1 and "embed" in name else 0.25)
        p.data = value.to(torch.bfloat16).double()


def loss_of(model, sequences):
    """Mean over the counted targets of both sequences; the first five ids are a prompt."""
    total, count = 0.0, 0
    for ids in sequences:
        logits = model(ids[None]).logits[0]
        targets = ids[1:]
        losses = torch.nn.functional.cross_entropy(logits[:-1], targets, reduction="none")
        total = total + losses[4:].sum()
        count += len(targets) - 4
    return total / count


def make(family, keys):
    torch.manual_seed(len(family) + ord(family[-1]))
    keys = {**COMMON, **keys}
    config = transformers.AutoConfig.for_model(**keys)
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).double().eval()
    random_weights(model)
    folder = OUT / f"tiny_{family}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    weights = {n: p.detach().to(torch.bfloat16).contiguous() for n, p in model.named_parameters()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    written = json.loads(config.to_json_string())
    written.pop("transformers_version", None)
    written["dtype"] = "bfloat16"
    written["architectures"] = [type(model).__name__]
    (folder / "config.json").write_text(json.dumps(written, indent=2) + "\n")

    sequences = [torch.randint(3, 64, (n,)) for n in (24, 17)]
    golden = {f"ids.{i}": ids.to(torch.int32) for i, ids in enumerate(sequences)}
    outputs = []
    hooks = [layer.register_forward_hook(
        lambda _, __, y: outputs.append(y[0] if isinstance(y, tuple) else y))
        for layer in model.model.layers]
    with torch.no_grad():
        for i, ids in enumerate(sequences):
            outputs.clear()
            golden[f"logits.{i}"] = model(ids[None]).logits[0]
            for layer, y in enumerate(outputs):
                golden[f"block.{layer}.{i}"] = y.reshape(len(ids), -1)
    for hook in hooks:
        hook.remove()

    for p in model.parameters():
        p.requires_grad = False
    loras = {}
    for n, layer in enumerate(model.model.layers):
        for path in PROJECTIONS:
            parent = getattr(layer, path.split(".")[0])
            leaf = path.split(".")[1]
            lora = Lora(getattr(parent, leaf))
            setattr(parent, leaf, lora)
            loras[f"{n}.{path}"] = lora
    trained = [p for lora in loras.values() for p in (lora.down, lora.up)]
    for name, lora in loras.items():
        golden[f"down.{name}"] = lora.down.detach().clone()
        golden[f"up.{name}"] = lora.up.detach().clone()
    # A large epsilon: where a gradient is zero but for rounding, Adam would take a whole step by its sign.
    optimizer = torch.optim.Adam(trained, lr=LEARNING_RATE, eps=1e-3)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model, sequences)
        loss.backward()
        losses.append(loss.detach())
        if step == 0:
            for name, lora in loras.items():
                golden[f"ddown.{name}"] = lora.down.grad.clone()
                golden[f"dup.{name}"] = lora.up.grad.clone()
        optimizer.step()
    golden["losses"] = torch.stack(losses)
    golden = {k: (v if v.dtype == torch.int32 else v.to(FLOAT32)).contiguous()
              for k, v in golden.items()}
    save_file(golden, folder / "goldens.safetensors")
    print(family, [round(float(x), 4) for x in losses])


for family, keys in FAMILIES.items():
    make(family, keys)

def make_peft():
    """An adapter that PEFT itself wrote, with everything that needs folding, and its logits."""
    import peft
    torch.manual_seed(5)
    folder = OUT / "tiny_peft"
    shutil.rmtree(folder, ignore_errors=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        OUT / "tiny_llama", dtype=torch.float64, attn_implementation="eager").eval()
    config = peft.LoraConfig(
        r=4, lora_alpha=6, use_rslora=True, use_dora=True, task_type="CAUSAL_LM",
        target_modules=["q_proj", "k_proj", "down_proj"], layers_to_transform=[2, 3],
        layers_pattern="layers", rank_pattern={"k_proj": 2},
        alpha_pattern={"layers.3.mlp.down_proj": 3})
    model = peft.get_peft_model(model, config)
    for name, p in model.named_parameters():
        if "lora_B" in name:
            p.data = torch.randn_like(p) * 0.3
        if "magnitude" in name:
            p.data = p.data * (1 + 0.2 * torch.rand_like(p))
    ids = torch.randint(3, 64, (20,))
    with torch.no_grad():
        logits = model(ids[None]).logits[0]
    for p in model.parameters():
        p.data = p.data.to(FLOAT32)
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    written = json.loads((folder / "adapter_config.json").read_text())
    written["base_model_name_or_path"] = "tiny_llama"
    (folder / "adapter_config.json").write_text(json.dumps(written, indent=2) + "\n")
    save_file({"ids": ids.to(torch.int32), "logits": logits.to(FLOAT32)}, folder / "goldens.safetensors")


make_peft()
