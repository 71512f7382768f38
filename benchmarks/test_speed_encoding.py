"""Speed of encoding: pytest benchmarks/test_speed_encoding.py

The same saved model and the same texts through DualEncoder.encode and through sentence-transformers' encode (at
batches of 32, its default, and of 8, better on a CPU), in one run; pytest-benchmark prints the ratio of each to
the fastest. The texts are CLDR passages, alone and joined by up to eight, so that lengths differ as they do in
real collections; all are different, so nothing is gained by encoding repeated ones once.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from hybridnb.corpora import load_benchmark
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.models.small import build_small_encoder

SIZES = {
    "the default encoder, 2 x 160": {"layers": 2, "hidden": 160, "heads": 4},
    "half of E5-small, 6 x 384": {"layers": 6, "hidden": 384, "heads": 12},
}


@cache
def texts() -> tuple[str, ...]:
    rng = np.random.default_rng(0)
    joined = []
    for passages in load_benchmark("cldr").candidates.values():
        start = 0
        while start < 60:
            length = min(int(rng.geometric(0.4)), 8)
            joined.append(" ".join(passages[start : start + length]))
            start += length
    return tuple(dict.fromkeys(joined))


@pytest.fixture(scope="module", params=SIZES)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    directory = tmp_path_factory.mktemp("encoder")
    build_small_encoder(texts(), vocabulary=4000, max_length=256, **SIZES[request.param]).save(directory)
    return request.param, directory


@pytest.fixture(params=["hybridnb", "sentence-transformers 32", "sentence-transformers 8"])
def encode(request: pytest.FixtureRequest, saved: tuple[str, Path], benchmark):
    benchmark.group = saved[0]
    if request.param == "hybridnb":
        encoder = DualEncoder.load(saved[1])
        return lambda: encoder.encode(texts(), "passage", progress=False)
    theirs = SentenceTransformer(str(saved[1]), device="cpu")
    batch_size = int(request.param.rpartition(" ")[2])
    return lambda: theirs.encode(list(texts()), prompt_name="passage", batch_size=batch_size)


def test_encode(encode, saved: tuple[str, Path], benchmark) -> None:
    vectors = benchmark.pedantic(encode, rounds=5, warmup_rounds=1)
    benchmark.extra_info["texts per second"] = round(len(texts()) / benchmark.stats.stats.min)
    benchmark.extra_info["threads"] = torch.get_num_threads()
    reference = DualEncoder.load(saved[1]).encode(texts()[:5], "passage", progress=False)
    np.testing.assert_allclose(vectors[:5], reference, atol=1e-5)
