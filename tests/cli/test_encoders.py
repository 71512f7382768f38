"""Encoders written for others, evaluated."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from toy import NAMES, TEMPLATES, toy_encoder, write_xquad_r

from hybridnb.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")


def test_debias_then_evaluate(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The encoder that is written, and the maps on the vectors of the one it was made from, rank alike."""
    model, fair, maps = (toy.parent / name for name in ("model", "fair", "maps"))
    toy_encoder().save(model)
    rows = (
        {code: f"{query.format(name)} {n}" for code, (query, _) in TEMPLATES.items()}
        for n in range(7)
        for name in NAMES
    )
    (toy.parent / "mine.csv").write_text(pd.DataFrame(rows).to_csv(index=False))
    common = ["debias", str(model), "--sentences", str(toy.parent / "mine.csv")]
    assert main([*common, "--out", str(fair), "--format", "csv"]) == 0
    printed = capsys.readouterr().out
    assert "152 sentences in de, en, es" in printed and "SentenceTransformer(...).encode_query" in printed
    before, after = (
        line.split(",") for line in printed.splitlines() if line.startswith(("as it is,", "one-map,"))
    )
    assert float(after[3]) > float(before[3])
    assert main([*common, "--out", str(fair)]) == 2
    assert f"{fair} is there already" in capsys.readouterr().err

    two = [*common, "--method", "language-maps", "--language", "de", "--language", "en", "--limit", "120"]
    assert main([*two, "--out", str(maps)]) == 0
    printed = capsys.readouterr().out
    assert "108 sentences in de, en;" in printed
    assert f"evaluate {model} --benchmark NAME --debias {maps}" in printed

    data, out, baked = write_xquad_r(toy.parent / "data"), toy.parent / "out", toy.parent / "baked"
    evaluate = ["--benchmark", "xquad-r", "--data", str(data), "--out"]
    both = ["--debias", str(fair / "debiasing"), "--debias", str(maps)]
    assert main(["evaluate", str(model), *evaluate, str(out), *both]) == 0
    printed = capsys.readouterr().out
    assert all(f"xquad-r{said} " in printed for said in ("", ", one-map", ", language-maps"))
    assert main(["evaluate", str(fair), *evaluate, str(baked)]) == 0
    ranks = [
        pd.read_parquet(place / "ranks" / "xquad-r.parquet")["rank"]
        for place in (out / "debiased" / "one-map", baked, out)
    ]
    assert (ranks[0] == ranks[1]).mean() > 0.99  # but for scores that differ in their last bits
    assert (ranks[0] == ranks[2]).mean() < 0.9
    assert main(["evaluate", "bm25", *evaluate, str(toy.parent / "bm25"), *both]) == 2
    assert "bm25 has no vectors that could be debiased" in capsys.readouterr().err
