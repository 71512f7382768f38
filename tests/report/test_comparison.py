"""Systems side by side: their names, what they share, differences as scipy has them, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from toy import TEMPLATES, TOY_BENCHMARK, write_run_json

from hybridnb.corpora.benchmark import Queries
from hybridnb.measures.metrics import per_query, summary
from hybridnb.measures.significance import holm
from hybridnb.report.comparison import as_tables, differences, notes, read_results, scores, shared
from hybridnb.report.tables.text import render
from hybridnb.study.evaluation import evaluate
from hybridnb.study.runs import Run


class Noisy:
    """Vectors of a text's letters, with noise of its own."""

    def __init__(self, seed: int, noise: float) -> None:
        self.seed, self.noise = seed, noise

    def encode(self, texts: list[str]) -> list[np.ndarray]:
        made = []
        for text in texts:
            rng = np.random.default_rng([self.seed, *text.encode()])
            letters = np.bincount([ord(c) % 32 for c in text], minlength=32)
            made.append(letters + self.noise * rng.normal(size=32))
        return made


OTHER = replace(TOY_BENCHMARK, name="other")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("systems")
    for name, noise in (("good", 0.1), ("bad", 2.0)):
        evaluate(Noisy(0, noise), TOY_BENCHMARK, directory / name, name=f"models/{name}")
    evaluate(Noisy(0, 0.1), OTHER, directory / "good", name="models/good")
    evaluate("bm25", TOY_BENCHMARK, directory / "bm25", trec=5)
    return directory


def test_names_and_scores(made: Path) -> None:
    systems = read_results([made / "good", made / "bad", made / "bm25"])
    assert [results.name for results in systems] == ["good", "bad", "bm25"]
    assert shared(systems) == ["toy"]
    table = scores(systems, "toy")
    expected = summary(Run(made / "bad", "", 0).ranks("toy"))
    assert table.loc["bad", "Cr mAP"] == expected["crosslingual"]["map"]
    assert np.isnan(table.loc["bm25", "Cr mAP"])
    assert notes(systems, "toy") == ["Not known of bm25: Cr mAP, Cr R@1 (it has no cross-lingual task)."]
    assert notes(systems, "other") == ["bad has no results on other.", "bm25 has no results on other."]


def test_differences_are_those_of_a_paired_test_over_questions(made: Path) -> None:
    systems = read_results([made / "good", made / "bad", made / "bm25"])
    table, said = differences(systems, ["toy"], "good")
    assert said == []
    pairs = list(zip(table["system"], table["measure"], strict=True))
    measures = ["Mo mAP", "Cr mAP", "Mul mAP", "rank distance"]
    assert pairs == [
        *(("bad", label) for label in measures),
        ("bm25", "Mo mAP"),
        ("bm25", "Mul mAP"),
        ("bm25", "rank distance"),
    ]
    assert table["p_holm"].tolist() == holm(table["p"].to_numpy()).tolist()

    def by_question(name: str) -> pd.Series:
        values = per_query(Run(made / name, "", 0).ranks("toy"))
        return values[values["task"] == "monolingual"].groupby("query_id", observed=True)["map"].mean()

    apart = by_question("bad") - by_question("good")
    row = table.iloc[0]
    interval = stats.ttest_1samp(apart, 0).confidence_interval()
    assert [row["difference"], row["low"], row["high"]] == pytest.approx([apart.mean(), *interval])


def test_text_in_parts(made: Path) -> None:
    systems = read_results([made / "good", made / "bad"])
    (title, table, said), (last, compared, about) = as_tables(systems, ["toy"], "bad")
    assert (title, said, last) == ("toy", [], "differences: each system minus bad")
    assert compared.index.to_list() == ["good"] * 4 and compared["difference"].str.match(r"[+-]").all()
    assert "say nothing of other seeds" in about[0]
    lines = render(table, "markdown").splitlines()
    assert lines[0].split("|")[1].strip() == "system" and len(lines) == 4
    assert render(table, "csv").splitlines()[1].split(",")[0] == "good"


def test_names_are_told_apart(made: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        evaluate(Noisy(0, 0.5 if name == "one" else 1), TOY_BENCHMARK, tmp_path / name, name="same")
    write_run_json(tmp_path / "two")
    evaluate("bm25", TOY_BENCHMARK, tmp_path / "a" / "x")
    evaluate("bm25", TOY_BENCHMARK, tmp_path / "b" / "x")
    found = read_results(
        [tmp_path / "one", tmp_path / "two", tmp_path / "a" / "x", tmp_path / "b" / "x", made / "bm25"]
    )
    assert [results.name for results in found] == [
        "same", "X-Y seed 0", f"bm25 ({tmp_path}/a/x)", f"bm25 ({tmp_path}/b/x)", "bm25 (bm25)",
    ]  # fmt: skip


def test_a_run_of_some_languages_is_not_compared_where_others_were_asked(made: Path, tmp_path: Path) -> None:
    whole = made / "bm25" / "trec" / "toy.monolingual.run"
    german = tmp_path / "german.run"
    lines = [line for line in whole.read_text().splitlines(keepends=True) if line.startswith("de:")]
    german.write_text("".join(lines))
    evaluate([german], TOY_BENCHMARK, tmp_path / "german")
    evaluate([whole], TOY_BENCHMARK, tmp_path / "all", name="all")
    systems = read_results([made / "bm25", tmp_path / "german", tmp_path / "all"])
    table, said = differences(systems, ["toy"], "bm25")
    assert said == [
        "german and bm25 were not asked in the same languages on toy (monolingual): not compared."
    ]
    assert table[["system", "measure"]].to_numpy().tolist() == [["all", "Mo mAP"]]
    assert abs(table["difference"]).max() < 0.1
    assert "all is TREC runs (depth: monolingual 5); what stands beyond counts as not retrieved." in notes(
        systems, "toy"
    )


def test_what_cannot_stand_side_by_side_is_refused(made: Path, tmp_path: Path) -> None:
    queries = {code: Queries(q.ids, [f"{t}!" for t in q.texts]) for code, q in TOY_BENCHMARK.queries.items()}
    evaluate("bm25", replace(TOY_BENCHMARK, queries=queries), tmp_path / "changed")
    with pytest.raises(ValueError, match=r"hold results on different data under the name toy \(sha256"):
        read_results([made / "good", tmp_path / "changed"])
    with pytest.raises(ValueError, match="is given twice"):
        read_results([made / "good", made / "bad", made / "good" / "."])
    with pytest.raises(ValueError, match="two directories"):
        read_results([made / "good"])
    with pytest.raises(FileNotFoundError, match="holds no results"):
        read_results([made / "good", tmp_path])
    evaluate("bm25", TOY_BENCHMARK.in_languages(list(TEMPLATES)[:2]), tmp_path / "cut")
    systems = read_results([made / "bad", tmp_path / "cut"])
    with pytest.raises(ValueError, match="no benchmark has results of two systems"):
        shared(systems)
    with pytest.raises(ValueError, match="no system 'x' here"):
        differences(systems, ["toy"], "x")
    table, said = differences(systems, ["toy"], "bm25")
    assert table.empty and said[0] == "bm25 has no results on toy: no differences there."
