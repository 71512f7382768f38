"""What questions give for pairs, from ranks that are drawn, against loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridnb.measures.metrics import by_language
from hybridnb.measures.questions_file import write_questions
from hybridnb.report.typology import values
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED


def test_values_of_pairs_are_those_of_a_loop(runs: list[Run]) -> None:
    ranks = runs[0].ranks("toy")
    found = values.pair_values(ranks)
    assert len(found) == 12 and len(found["Cr mAP"].columns) == len(found["halvings"].columns) == 30
    for row in ranks.sample(200, random_state=0).itertuples():
        pair = row.query_language, row.relevant_language
        if pair[0] == pair[1]:
            assert pair not in found["halvings"]
        elif row.task == "crosslingual":
            assert found.at[row.query_id, ("Cr mAP", *pair)] == 1 / row.rank
        else:
            assert found.at[row.query_id, ("halvings", *pair)] == -np.log2(row.rank)
    means = by_language(ranks)
    means = means[(means["task"] == "crosslingual") & (means["metric"] == "map")]
    for row in means.itertuples():
        assert found["Cr mAP", row.query_language, row.candidate_language].mean() == pytest.approx(row.value)


def test_several_answers_in_a_language_are_averaged_and_a_missing_rank_hides_the_pair() -> None:
    columns = ["task", "query_language", "candidate_language", "query_id", "relevant_language", "rank"]
    rows = [("multilingual", "de", "*", "q", "en", 2), ("multilingual", "de", "*", "q", "en", 8)]
    rows += [("multilingual", "de", "*", "r", "en", 4), ("multilingual", "de", "*", "q", "fr", None)]
    ranks = pd.DataFrame([*rows, ("multilingual", "de", "*", "r", "fr", 16)], columns=columns)
    found = values.pair_values(ranks.assign(dataset="d", pool_size=99))
    assert found["halvings", "de", "en"].tolist() == [-2, -2]
    assert found["halvings", "de", "fr"].isna().all()


def test_systems_are_strategies_and_the_methods_there_are(named: dict[str, values.System]) -> None:
    assert {name: len(system) for name, system in named.items()} == {NOT_TRAINED: 1, "one-map": 1, "X-Y": 2}
    assert next(iter(named)) == values.reference(named) == NOT_TRAINED
    assert values.reference(["X-Y", "X-X-mono"]) == "X-X-mono"
    assert values.reference(["X-Y", "hybrid(0.5)"]) == "X-Y"


def test_systems_are_of_the_seeds_that_have_ranks(runs: list[Run]) -> None:
    names = ["one-map", "X-Y"]
    for run, left in ((runs[2], 1), (runs[0].debiased("one-map"), 0)):
        write_questions(run.directory / "questions" / "toy.parquet", run.ranks("toy"), [])
        (run.directory / "ranks" / "toy.parquet").unlink()
        found = values.systems(runs, "toy", names)
        assert len(found["X-Y"]) == 1 and ("one-map" in found) == bool(left)
    write_questions(runs[0].directory / "questions" / "toy.parquet", runs[0].ranks("toy"), [])
    (runs[0].directory / "ranks" / "toy.parquet").unlink()
    # nothing to be held against: as on a benchmark that asks no pair of languages
    found = values.systems(runs, "toy", names)
    assert list(found) == [NOT_TRAINED] and values.pairs_of(found[NOT_TRAINED], "Cr mAP") == []
