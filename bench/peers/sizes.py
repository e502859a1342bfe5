# SPDX-License-Identifier: EUPL-1.2
"""How much work a model is given. A shape of random weights stands for a model that is several times larger than the others: it is given less,
so that a run stays within minutes; the page says what is less."""
import dataclasses

MODELS = ("smollm2-135m-instruct", "gemma-3-270m", "gemma-3-1b")  # in the page's order


@dataclasses.dataclass(frozen=True)
class Sizes:
    rows: int = 24  # of GSM8K, two a step
    cut: int = 0  # tokens that each of mlx-lm's two rows is cut to; 0: none. Its time per token is the same for 16, 32 and 64 (270M: within 1 %)
    prompts: int = 9  # timed by lem; a peer warms up on the first
    length: int = 512  # of a prompt, in tokens
    tokens: int = 128  # of an answer
    sequences: int = 16  # answered together
    inner: int = 2  # answers of one sequence that a peer's rate is the median of


FULL = Sizes()
SHAPE = Sizes(rows=8, cut=32, prompts=3, tokens=48, inner=1)
QUICK = Sizes(rows=4, cut=12, prompts=3, length=64, tokens=12, sequences=4)
