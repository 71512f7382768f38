"""Indexes made in parts, searched, and evaluated as the whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy import static_model, toy_encoder, write_xquad_r

from hybridnb import corpora
from hybridnb.cli import main
from hybridnb.encoders.foreign import load_encoder
from hybridnb.retrieval.embeddings import encode_benchmark
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.sharded.store import read_vectors

pytestmark = pytest.mark.usefixtures("one_thread")


def test_an_index_is_made_and_searched_in_parts_and_evaluated_as_the_whole(
    toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYBRIDNB_DATA", str(write_xquad_r(toy.parent / "data")))
    toy_encoder().save(toy.parent / "model")
    model, index, out = str(toy.parent / "model"), toy.parent / "index", toy.parent / "out"
    make = ["index", model, "--benchmark", "xquad-r", "--shard-size", "10", "--out", str(index)]
    search = ["search-index", str(index), "--top", "5", "--sample", "7", "--out", str(out)]
    assert main([*make, "--part", "2/2"]) == 0
    said = capsys.readouterr().out
    assert "16 of 33 shards are encoded: 130 of 264 candidates" in said
    assert main(search) == 2
    assert "all of its parts, must end first" in capsys.readouterr().err
    assert main([*make, "--part", "1/2"]) == 0
    assert f"for `hybridnb search-index {index} --out RESULTS`" in capsys.readouterr().out
    assert main([*search, "--part", "2/3"]) == 0
    assert "22 of 33 shards are left to other parts" in capsys.readouterr().out
    assert not (out / "metrics.json").exists()
    assert len(list(index.glob("found/*/*.safetensors"))) == 11
    assert main(search) == 0
    said = capsys.readouterr().out
    assert "in the merged pool: recall@5 1.000 of exact search (7 queries)" in said
    assert "rank distance: " in said
    # what shards found is evaluated, and gone; the same search is not made again
    assert list(index.glob("found/*/*")) == []
    with monkeypatch.context() as patch:
        patch.setattr("hybridnb.study.indexed.search_shard", None)
        assert main(search) == 0
    assert capsys.readouterr().out == said[: said.index("264 queries")] + said[said.index("in the merged") :]
    # up to the cut, the exact ranks of the vectors that are kept
    benchmark = corpora.load_benchmark("xquad-r")
    queries = encode_benchmark(load_encoder(model), benchmark, cache=None)[0]
    kept = {
        code: np.concatenate([read_vectors(file)[:] for file in sorted(index.glob(f"vectors/{code}-*"))])
        for code in benchmark.candidates
    }
    wanted = exact_ranks(benchmark, queries, kept).astype({"rank": float})
    found = pd.read_parquet(out / "ranks/xquad-r.parquet").astype({"rank": float})
    agrees = found["rank"].fillna(99) == wanted["rank"].where(wanted["rank"] <= 5, 99)
    assert agrees.mean() > 0.999  # products of another order may turn scores that differ in the last bit
    whole = toy.parent / "whole"
    assert main(["evaluate", model, "--benchmark", "xquad-r", "--out", str(whole)]) == 0
    made = json.loads((out / "evaluations.json").read_text())["xquad-r"]
    assert made["encoder"]["index"] == {
        "factory": "Flat", "parameters": "", "k": 5, "storage": "float16", "shard": 10,
    }  # fmt: skip
    assert made["search"]["recall"]["*"] == {"5": 1.0}
    bounds = pd.read_csv(out / "bounds/xquad-r.csv").set_index(["task", "metric"])
    truth = json.loads((whole / "metrics.json").read_text())["xquad-r"]
    for task, metric in [("monolingual", "map"), ("multilingual", "map"), ("multilingual", "rank_distance")]:
        row = bounds.loc[(task, metric)]
        assert row["least"] * 0.98 <= truth[task][metric] <= row["greatest"] * 1.02
    capsys.readouterr()
    assert main(["compare", str(whole), str(out)]) == 0
    assert "is a search of an index to depth 5" in capsys.readouterr().out
    # other settings, other results; another model, another index
    assert main([*search[:2], "--top", "6", "--out", str(out)]) == 2
    assert "holds the results of another encoder" in capsys.readouterr().err
    assert main([*make, "--max-passage-length", "9"]) == 2
    assert "holds an index of other" in capsys.readouterr().err


def test_an_index_by_a_factory_string(
    toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hybridnb.retrieval.sharded.build.SMALL", 5)
    model = str(static_model(toy.parent / "static"))
    index, out = str(toy.parent / "index"), str(toy.parent / "out")
    make = ["index", model, "--benchmark", "cldr", "--language", "de", "--language", "en", "--out", index]
    assert main([*make, "--factory", "IVF4,SQ8", "--storage", "int8"]) == 0
    assert "2 of 2 have their index IVF4,SQ8" in capsys.readouterr().out
    assert main(["search-index", index, "--parameters", "nprobe=4", "--out", out]) == 0
    assert "in a language's pool, on average: recall@10 " in capsys.readouterr().out
    made = json.loads(Path(out, "evaluations.json").read_text())["cldr-de-en"]
    assert made["encoder"]["model"].endswith(", IVF4,SQ8")
    assert main([*make, "--factory", "SQ8", "--storage", "int8"]) == 0
    capsys.readouterr()
    assert main(["search-index", index, "--out", out]) == 2
    assert "has several indexes, IVF4,SQ8, SQ8: say which, --factory" in capsys.readouterr().err
    assert main([*make, "--factory", "Flatt"]) == 2
    assert "'Flatt' is no FAISS factory string" in capsys.readouterr().err
