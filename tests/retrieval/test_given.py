"""Vectors of a file: what is read, and what is wrong with it, in one line that names the file and the array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import save_file
from toy import random_benchmark

from hybridnb.retrieval.given import read_vectors
from hybridnb.retrieval.nearest import top_languages
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.study.results import parallel_answers

BENCHMARK = random_benchmark(np.random.default_rng(0), partly=True, several=True, excluded=True)


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    sides = {"queries": BENCHMARK.queries, "candidates": BENCHMARK.candidates}
    return {
        f"{side}/{language}": rng.normal(size=(len(texts), 8)) * 3
        for side, by_language in sides.items()
        for language, texts in by_language.items()  # type: ignore[attr-defined]
    }


def test_both_formats_give_unit_vectors(tmp_path: Path) -> None:
    given = {**arrays(), "queries/xx": np.ones((2, 8))}
    np.savez(tmp_path / "a.npz", **given)
    tensors = {key: torch.from_numpy(values).bfloat16() for key, values in given.items()}
    save_file(tensors, tmp_path / "a.safetensors")
    queries, candidates = read_vectors(tmp_path / "a.npz", BENCHMARK)
    assert set(queries) == set(BENCHMARK.queries) and set(candidates) == set(BENCHMARK.candidates)
    raw = given["candidates/bb"]
    expected = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    assert_allclose(candidates["bb"][:], expected, atol=1e-6)
    assert_allclose(candidates["bb"][2], expected[2], atol=1e-6)
    stored = read_vectors(tmp_path / "a.safetensors", BENCHMARK)
    assert_allclose(stored[1]["bb"][:], expected, atol=2e-2)
    assert len(exact_ranks(BENCHMARK, queries, candidates)) == len(exact_ranks(BENCHMARK, *stored))


@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_vectors_of_a_file_are_read_where_they_are_asked_for(tmp_path: Path, kind: torch.dtype) -> None:
    save_file({key: torch.from_numpy(v).to(kind) for key, v in arrays().items()}, tmp_path / "a.safetensors")
    sides = read_vectors(tmp_path / "a.safetensors", BENCHMARK)
    whole = tuple({code: vectors[:] for code, vectors in side.items()} for side in sides)
    pd.testing.assert_frame_equal(exact_ranks(BENCHMARK, *sides), exact_ranks(BENCHMARK, *whole))
    shares = top_languages(BENCHMARK, *sides, k=3)
    pd.testing.assert_frame_equal(shares, top_languages(BENCHMARK, *whole, k=3))
    assert_array_equal(parallel_answers(BENCHMARK, sides[1], 3), parallel_answers(BENCHMARK, whole[1], 3))


def broken(change: Any) -> dict[str, Any]:
    given = arrays()
    change(given)
    return given


def not_finite(given: dict[str, Any]) -> None:
    given["candidates/cc"][3, 2] = np.inf


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (broken(not_finite), "candidates/cc: row 3 is not finite"),
        (broken(lambda g: g.pop("queries/aa")), "no query vectors for 'aa'"),
        (broken(lambda g: g.update({"queries/aa": g["queries/aa"][1:]})), "'aa' have shape"),
        (broken(lambda g: g.update({"candidates/dd": g["candidates/dd"][:, 1:]})), "'dd' have shape"),
        (broken(lambda g: g.update({"candidates/dd": np.ones(4)})), "'dd' have shape"),
        (broken(lambda g: g.update({"de": np.ones(4)})), "array 'de' is neither queries/LANGUAGE nor"),
        (
            broken(lambda g: g.update({"queries/aa": np.array(["a"])})),
            "queries/aa: it holds <U1, not numbers",
        ),
        (broken(lambda g: g.update({"queries/aa": np.array([{}])})), "queries/aa: Object arrays"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "a.npz", **given)
    with pytest.raises(ValueError, match=rf"a\.npz.*{message}"):
        read_vectors(tmp_path / "a.npz", BENCHMARK)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_damaged_or_missing_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with pytest.raises(FileNotFoundError, match=f"a{suffix}: no such file"):
        read_vectors(path, BENCHMARK)
    path.write_bytes(b"no vectors at all")
    with pytest.raises(ValueError, match=f"a{suffix} is damaged"):
        read_vectors(path, BENCHMARK)
