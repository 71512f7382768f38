"""How fast a training was: pairs and tokens a second, model FLOP utilisation, peak memory."""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback

from hybridnb.encoders.encoder import DualEncoder

PEAK_BF16 = {"H100": 989.4e12, "H200": 989.4e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}
"""FLOP/s of dense bfloat16 products by the makers' data sheets, by what a card's name has in it (SXM parts)."""


def step_flops(encoder: DualEncoder, tokens: float, squares: float) -> float:
    """Model FLOPs of training steps on texts: per token 6 N + 12 L H T (PaLM, arXiv 2204.02311, appendix B).

    N weights outside the embeddings, which are looked up; L layers; H their width; T tokens of the text. Of layers
    that are not trained a third, as there is no backward pass. Neither padding nor what is computed twice counts.

    Args:
        encoder: with the weights that are trained, told by `requires_grad`.
        tokens: of all texts together.
        squares: the sum of their squared numbers of tokens.

    Example:
        >>> from hybridnb.encoders.models.small import build_small_encoder
        >>> encoder = build_small_encoder(["wo wohnt ana"], vocabulary=60, layers=1, hidden=16, heads=2)
        >>> step_flops(encoder, tokens=10, squares=0) / 10
        19680.0
        >>> step_flops(encoder, tokens=0, squares=100) / 100
        192.0
    """
    config, named = encoder.model.config, list(encoder.model.named_parameters())
    matrices = [(p.numel(), p.requires_grad) for name, p in named if "embeddings" not in name]
    weights = sum(size for size, _ in matrices)
    trained = sum(size for size, is_trained in matrices if is_trained)
    share = trained / weights  # layers are alike
    attention = 12 * config.num_hidden_layers * config.hidden_size * (share + (1 - share) / 3)
    return float((6 * trained + 2 * (weights - trained)) * tokens + attention * squares)


class Speed(TrainerCallback):
    """Times the steps of a training, without its validations and checkpoints and without its first step.

    Args:
        encoder: that is trained.
        pairs: of a step, over all processes.
        processes: that share them.
        bfloat16: whether matrix products are in bfloat16; model FLOP utilisation is known of these.
    """

    def __init__(self, encoder: DualEncoder, *, pairs: int, processes: int, bfloat16: bool) -> None:
        self.encoder, self.pairs, self.processes, self.bfloat16 = encoder, pairs, processes, bfloat16
        self.steps, self.seconds, self._since = 0, 0.0, 0.0
        self._read = torch.zeros(2, dtype=torch.float64)

    def read(self, masks: list[Tensor]) -> None:
        """Take note of the texts of a step, by their attention masks; nothing waits for a GPU."""
        if self._since:
            lengths = torch.cat([mask.sum(dim=1) for mask in masks]).double()
            read = torch.stack([lengths.sum(), (lengths**2).sum()])
            self._read = self._read.to(read.device) + read

    def on_step_end(self, *_: Any, **__: Any) -> None:
        now = time.perf_counter()
        if self._since:
            self.steps, self.seconds = self.steps + 1, self.seconds + now - self._since
        self._since = now

    def on_evaluate(self, *_: Any, **__: Any) -> None:
        self._since = time.perf_counter() if self._since else 0.0

    def on_save(self, *_: Any, **__: Any) -> None:
        self.on_evaluate()

    def summary(self) -> dict[str, float | None]:
        """For run.json; tokens are without padding, utilisation and memory of one process; None is not known."""
        cuda = torch.cuda.is_available()
        found: dict[str, float | None] = {
            "steps_timed": self.steps,
            "pairs_per_second": None,
            "tokens_per_second": None,
            "model_flop_utilisation": None,
            "peak_memory_mib": torch.cuda.max_memory_allocated() // 2**20 if cuda else _peak_memory(),
        }
        if self.steps:
            tokens, squares = self._read.tolist()
            found["pairs_per_second"] = round(self.pairs * self.steps / self.seconds, 2)
            found["tokens_per_second"] = round(tokens * self.processes / self.seconds, 1)
            words = torch.cuda.get_device_name().replace("-", " ").split() if cuda else []
            peak = next((of_card for card, of_card in PEAK_BF16.items() if card in words), None)
            if peak and self.bfloat16:
                flops = step_flops(self.encoder, tokens, squares)
                found["model_flop_utilisation"] = round(flops / self.seconds / peak, 4)
        return found


def _peak_memory() -> int | None:
    """MiB that this process held at most."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held // (2**20 if sys.platform == "darwin" else 2**10)
