# SPDX-License-Identifier: EUPL-1.2
"""Streams a model of a real shape with random weights to disk, already quantised (GGUF Q4_0), without holding it in memory.

  make_shape.py SHAPE DONOR.gguf OUT.gguf

The tokenizer is copied from the donor, a Gemma 3 GGUF. Only time and memory are real: the text such a model writes is noise. Weights have
standard deviation 1/sqrt(inputs) and norms are one, so that activations stay finite through any number of blocks.
"""
import os
import shutil
import struct
import sys

VOCAB, BLOCK, ALIGN = 262144, 32, 32
# dim, blocks, feed-forward, heads, key and value heads, head size, sliding window, divisor of rotary positions
SHAPES = {
    "gemma-3-1b": (1152, 26, 6912, 4, 1, 256, 512, 1),
    "gemma-3-4b": (2560, 34, 10240, 8, 4, 256, 1024, 8),
    "gemma-3-12b": (3840, 48, 15360, 16, 8, 256, 1024, 8),
    "gemma-3-27b": (5376, 62, 21504, 32, 16, 128, 1024, 8),
}
F32, Q4_0 = 0, 2
U32, FLOAT32, STRING, ARRAY = 4, 6, 8, 9
WIDTH = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
Q4_0_BYTES = 18  # of a block: a float16 scale and 32 values of four bits


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def skip_value(file, kind):
    if kind == STRING:
        file.seek(struct.unpack("<Q", file.read(8))[0], os.SEEK_CUR)
    elif kind == ARRAY:
        inner, count = struct.unpack("<IQ", file.read(12))
        if inner == STRING:
            for _ in range(count):
                skip_value(file, STRING)
        else:
            file.seek(WIDTH[inner] * count, os.SEEK_CUR)
    else:
        file.seek(WIDTH[kind], os.SEEK_CUR)


def tokenizer_values(donor):
    """The donor's tokenizer.* entries, byte for byte."""
    kept = []
    with open(donor, "rb") as file:
        magic, _, _, values = struct.unpack("<4sIQQ", file.read(24))
        if magic != b"GGUF":
            sys.exit(f"{donor}: expected a GGUF file, found another; try a Gemma 3 GGUF")
        for _ in range(values):
            begin = file.tell()
            key = file.read(struct.unpack("<Q", file.read(8))[0]).decode()
            skip_value(file, struct.unpack("<I", file.read(4))[0])
            end = file.tell()
            if key.startswith("tokenizer."):
                file.seek(begin)
                kept.append(file.read(end - begin))
    return kept


def metadata(name, donor):
    dim, blocks, ffn, heads, kv_heads, head_dim, window, divisor = SHAPES[name]
    numbers = {"context_length": 32768, "embedding_length": dim, "block_count": blocks, "feed_forward_length": ffn,
               "attention.head_count": heads, "attention.head_count_kv": kv_heads, "attention.key_length": head_dim,
               "attention.value_length": head_dim, "attention.sliding_window": window}
    out = [text(key) + struct.pack("<I", STRING) + text(value)
           for key, value in (("general.architecture", "gemma3"), ("general.name", f"{name} shape, random weights"))]
    out += [text(f"gemma3.{key}") + struct.pack("<II", U32, value) for key, value in numbers.items()]
    reals = {"attention.layer_norm_rms_epsilon": 1e-6, "rope.freq_base": 1e6}
    if divisor > 1:
        reals["rope.scaling.factor"] = divisor
        out.append(text("gemma3.rope.scaling.type") + struct.pack("<I", STRING) + text("linear"))
    out += [text(f"gemma3.{key}") + struct.pack("<If", FLOAT32, value) for key, value in reals.items()]
    return out + tokenizer_values(donor)


def tensors(name):
    """(name, inputs, outputs or 0 for a norm) in the order of the file."""
    dim, blocks, ffn, heads, kv_heads, head_dim, _, _ = SHAPES[name]
    out = [("output_norm", dim, 0), ("token_embd", dim, VOCAB)]
    for i in range(blocks):
        block = [("attn_norm", dim, 0), ("attn_q", dim, heads * head_dim), ("attn_k", dim, kv_heads * head_dim),
                 ("attn_v", dim, kv_heads * head_dim), ("attn_q_norm", head_dim, 0), ("attn_k_norm", head_dim, 0),
                 ("attn_output", heads * head_dim, dim), ("post_attention_norm", dim, 0), ("ffn_norm", dim, 0),
                 ("ffn_gate", dim, ffn), ("ffn_up", dim, ffn), ("ffn_down", ffn, dim), ("post_ffw_norm", dim, 0)]
        out += [(f"blk.{i}.{part}", inputs, outputs) for part, inputs, outputs in block]
    return out


def size_of(inputs, outputs):
    return inputs * outputs // BLOCK * Q4_0_BYTES if outputs else inputs * 4


def padded(size):
    return -(-size // ALIGN) * ALIGN


def header(name, donor):
    values, table, offset = metadata(name, donor), [], 0
    for tensor, inputs, outputs in tensors(name):
        shape = (inputs, outputs) if outputs else (inputs,)
        table.append(text(f"{tensor}.weight") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, Q4_0 if outputs else F32, offset))
        offset += padded(size_of(inputs, outputs))
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(table), len(values)) + b"".join(values) + b"".join(table)
    return head + b"\0" * (padded(len(head)) - len(head)), offset


def write(name, donor, target):
    import numpy as np  # the sizes above are of use without it

    head, data = header(name, donor)
    free = shutil.disk_usage(os.path.dirname(os.path.abspath(target))).free
    if len(head) + data > free:
        sys.exit(f"{target}: expected {(len(head) + data) / 1e9:.1f} GB of free disk, found {free / 1e9:.1f}; try a smaller shape")
    random = np.random.default_rng(0)
    pool = np.zeros(1 << 20, np.dtype([("scale", "<f2"), ("values", "u1", BLOCK // 2)]))  # 32 million weights, drawn once; every tensor reads them from another place
    nibbles = random.integers(1, 16, (len(pool), BLOCK // 2, 2), dtype=np.uint8)  # 1..15 means -7..7: no bias
    pool["values"] = nibbles[..., 0] | nibbles[..., 1] << 4
    del nibbles
    with open(target + ".partial", "wb") as out:
        out.write(head)
        for _, inputs, outputs in tensors(name):
            size = size_of(inputs, outputs)
            if not outputs:
                out.write(np.ones(inputs, "<f4").tobytes())
            else:
                pool["scale"] = 1 / (18.67 * inputs) ** 0.5  # 18.67: the variance of -7..7
                left, at = inputs * outputs // BLOCK, int(random.integers(len(pool)))
                while left:
                    count = min(left, len(pool) - at)
                    out.write(pool[at:at + count].data)
                    left, at = left - count, 0
            out.write(b"\0" * (padded(size) - size))
    os.replace(target + ".partial", target)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in SHAPES:
        sys.exit(f"usage: make_shape.py {'|'.join(SHAPES)} DONOR.gguf OUT.gguf")
    write(*sys.argv[1:])
