"""What is kept of each question is what its ranks say, in all languages and in those that were not trained on."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridnb.measures.catalogue import MAIN
from hybridnb.measures.metrics import per_query
from hybridnb.measures.questions_file import (
    ALL,
    UNSEEN,
    check_questions,
    main_values,
    of_scope,
    write_questions,
)
from hybridnb.measures.significance import question_values
from hybridnb.retrieval.ranks_table import COLUMNS, TASKS

LANGUAGES = ["de", "en", "vi"]


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Ranks of questions that are asked in some languages and answered in some."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tasks = draw(st.sets(st.sampled_from(TASKS), min_size=1))
    asked = st.lists(st.sampled_from(LANGUAGES), min_size=1, unique=True)
    rows = []
    for n in range(draw(st.integers(1, 4))):
        answers = sorted(draw(asked))
        for code in draw(asked):
            ranks = [int(rank) for rank in rng.permutation(50)[: len(answers)] + 1]
            for answer, rank in zip(answers, ranks, strict=True):
                if ("monolingual" if code == answer else "crosslingual") in tasks:
                    task = "monolingual" if code == answer else "crosslingual"
                    rows.append(("d", task, code, answer, f"q{n}", answer, rank, 60))
                if "multilingual" in tasks:
                    rows.append(("d", "multilingual", code, "*", f"q{n}", answer, rank, 180))
    if not rows:
        rows = [("d", "multilingual", "de", "*", "q", "de", 3, 180)]
    return pd.DataFrame(rows, columns=COLUMNS)


@settings(deadline=None, max_examples=40)
@given(tables(), st.sets(st.sampled_from([*LANGUAGES, "sw"])))
def test_what_is_kept_is_what_the_ranks_say(
    tmp_path_factory: pytest.TempPathFactory, ranks: pd.DataFrame, trained: set[str]
) -> None:
    """In both scopes, bit for bit; and their means are those of the queries, computed one by one."""
    path = tmp_path_factory.mktemp("kept") / "questions" / "d.parquet"
    write_questions(path, ranks, trained)
    kept = pd.read_parquet(path)
    check_questions(kept)
    pd.testing.assert_frame_equal(of_scope(kept, ALL), main_values(ranks), check_exact=True)
    if trained:
        wanted = main_values(ranks, trained)
        pd.testing.assert_frame_equal(of_scope(kept, UNSEEN), wanted, check_exact=True)
    else:
        assert set(kept["scope"]) == {ALL}
    values = per_query(ranks)
    counts = [not trained or not {q, c} <= {*trained, "*"} for q, c in zip(
        values["query_language"], values["candidate_language"], strict=True
    )]  # fmt: skip
    found = main_values(ranks, trained)
    for label in found:
        measure = MAIN[label]
        part = values[np.array(counts) & (values["task"] == measure.task)]
        by_pool = part.groupby(["query_language", "candidate_language"])[measure.name].mean()
        assert found[label].mean() == pytest.approx(by_pool.mean(), rel=1e-6)


def test_a_file_has_the_main_measures_in_float32(tmp_path: Path) -> None:
    rows = [
        ("d", "multilingual", q, "*", f"q{n}", c, 10 * n + i, 180)
        for n, q in product(range(1, 4), LANGUAGES)
        for i, c in enumerate(LANGUAGES)
    ]
    ranks = pd.DataFrame(rows, columns=COLUMNS)
    write_questions(tmp_path / "d.parquet", ranks, ["de", "en"])
    kept = pd.read_parquet(tmp_path / "d.parquet")
    assert list(kept) == ["scope", "query_id", "Mul mAP", "rank distance"]
    assert kept.dtypes[["Mul mAP", "rank distance"]].tolist() == [np.float32, np.float32]
    assert kept["scope"].tolist() == [ALL] * 3 + [UNSEEN] * 3
    exact = question_values(ranks)
    assert of_scope(kept, ALL)["Mul mAP"].to_numpy() == pytest.approx(exact["Mul mAP"].to_numpy(), rel=1e-7)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns="scope"), "columns"),
        (lambda t: t[["scope", "query_id"]], "columns"),
        (lambda t: t.assign(scope="seen"), "scope"),
        (lambda t: t.assign(scope=UNSEEN), "scope"),
        (lambda t: pd.concat([t, t]), "twice"),
        (lambda t: t.assign(query_id=None), "no id"),
        (lambda t: t.astype({"Mul mAP": np.float64}), "float32"),
        (lambda t: t.assign(**{"Mul mAP": np.array([np.nan, 1], np.float32)}), "finite"),
        (lambda t: t.assign(**{"Mul mAP": np.array([np.inf, 1], np.float32)}), "finite"),
    ],
)
def test_what_is_no_such_table_is_refused(change: object, said: str) -> None:
    table = pd.DataFrame(
        {"scope": [ALL, ALL], "query_id": ["a", "b"], "Mul mAP": np.array([0.5, 1], np.float32)}
    )
    check_questions(table)
    with pytest.raises(ValueError, match=said):
        check_questions(change(table))  # type: ignore[operator]
