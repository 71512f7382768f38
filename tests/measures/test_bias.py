"""Language bias from ranks: by hand, against a naive computation, and at the ends of each scale."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from hybridnb.measures.bias import friedman, rank_distance, rank_distance_per_query, relevant_language_ranks
from hybridnb.measures.metrics import summary


def table(rows: list[tuple], dataset: str = "d") -> pd.DataFrame:
    """The multilingual part of a ranks table from (query language, query id, relevant language, rank)."""
    ranks = pd.DataFrame(rows, columns=["query_language", "query_id", "relevant_language", "rank"])
    return ranks.assign(dataset=dataset, task="multilingual", candidate_language="*", pool_size=1000)


BY_HAND = [
    ("de", "q1", "de", 1),
    ("de", "q1", "en", 4),
    ("de", "q1", "en", 6),
    ("de", "q1", "th", 101),
    ("de", "q2", "de", 2),
    ("th", "q1", "de", 30),
    ("th", "q1", "en", 20),
    ("th", "q1", "th", 10),
]


def random_table(seed: int, queries: int, languages: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    codes = [f"l{number}" for number in range(languages)]
    return table(
        [
            (asked, f"q{query}", code, rank)
            for asked in codes
            for query in range(queries)
            for code, rank in zip(codes, rng.permutation(1000)[:languages] + 1, strict=True)
        ]
    )


def test_rank_distance_by_hand():
    ranks = table(BY_HAND)
    found = rank_distance_per_query(ranks).set_index(["query_language", "query_id"])["rank_distance"]
    assert found.to_dict() == {("de", "q1"): 100, ("de", "q2"): 0, ("th", "q1"): 20}
    by_language = rank_distance(ranks).set_index("query_language")["rank_distance"]
    assert by_language.to_dict() == {"de": 50, "th": 20}
    assert summary(ranks)["multilingual"]["rank_distance"] == 35


def test_rank_distance_reads_the_merged_pool_only():
    alone = table(BY_HAND)
    mono = alone.assign(task="monolingual", candidate_language=alone["relevant_language"], rank=500)
    mono = mono.drop_duplicates(["query_language", "query_id", "relevant_language"])
    both = pd.concat([mono, alone], ignore_index=True)
    pd.testing.assert_frame_equal(rank_distance_per_query(both), rank_distance_per_query(alone))
    assert rank_distance(mono).empty


def test_rank_distance_is_left_out_where_it_says_nothing_of_languages():
    """MIRACL has relevant candidates in one language; a cut-off ranking does not know the lowest rank."""
    parallel = table(BY_HAND, "parallel")
    one_language = table([("de", "q1", "de", 1), ("de", "q1", "de", 9)], "one-language")
    cut_off = table([*BY_HAND[:3], ("de", "q1", "th", np.nan)], "cut-off")
    found = rank_distance(pd.concat([parallel, one_language, cut_off], ignore_index=True))
    assert set(found["dataset"]) == {"parallel"}
    assert "rank_distance" not in summary(one_language)["multilingual"]
    assert "rank_distance" not in summary(cut_off)["multilingual"]
    assert rank_distance_per_query(cut_off)["rank_distance"].isna().all()


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(2, 6))
@settings(max_examples=20, deadline=None)
def test_rank_distance_is_between_its_bounds_and_agrees_with_a_loop(seed: int, queries: int, languages: int):
    ranks = random_table(seed, queries, languages)
    found = rank_distance_per_query(ranks)
    assert found["rank_distance"].between(languages - 1, 999).all()
    for asked, query_id, distance in found[["query_language", "query_id", "rank_distance"]].to_numpy():
        own = [r.rank for r in ranks.itertuples() if (r.query_language, r.query_id) == (asked, query_id)]
        assert distance == max(own) - min(own)


def test_relevant_language_ranks_by_hand():
    found = relevant_language_ranks(table(BY_HAND)).set_index(["query_language", "relevant_language"])
    assert found["queries"].to_dict() == {
        ("de", "de"): 2,
        ("de", "en"): 1,
        ("de", "th"): 1,
        ("th", "de"): 1,
        ("th", "en"): 1,
        ("th", "th"): 1,
    }
    assert found.loc[("de", "de"), "median_rank"] == 1.5
    assert found.loc[("de", "de"), "mean_reciprocal_rank"] == 0.75
    assert found.loc[("de", "en"), "median_rank"] == 4  # the better of the two
    assert found.loc[("th", "de"), "mean_reciprocal_rank"] == pytest.approx(1 / 30)


def test_a_language_not_retrieved_counts_as_infinitely_far():
    ranks = table([("de", "q1", "de", 1), ("de", "q1", "th", np.nan)])
    found = relevant_language_ranks(ranks).set_index("relevant_language")
    assert found.loc["th", "median_rank"] == np.inf
    assert found.loc["th", "mean_reciprocal_rank"] == 0


def test_friedman_is_one_where_every_query_orders_the_languages_alike():
    ranks = table([("de", f"q{q}", code, 1 + 10 * q + n) for q in range(20) for n, code in enumerate("abcd")])
    found = friedman(ranks).iloc[0]
    assert found["kendalls_w"] == pytest.approx(1)
    assert found["p_value"] < 1e-9
    assert (found["queries"], found["languages"]) == (20, 4)


def test_friedman_is_zero_where_every_order_is_as_frequent():
    rows = [
        ("de", f"q{shift}", code, 1 + (n + shift) % 4) for shift in range(4) for n, code in enumerate("abcd")
    ]
    found = friedman(table(rows)).iloc[0]
    assert found["kendalls_w"] == pytest.approx(0)
    assert found["p_value"] == pytest.approx(1)


@given(st.integers(0, 2**32), st.integers(2, 30), st.integers(3, 6))
@settings(max_examples=20, deadline=None)
def test_kendalls_w_agrees_with_its_definition(seed: int, queries: int, languages: int):
    """W = 12 S / (m^2 (n^3 - n)), S the squared deviations of the n languages' rank sums over m queries."""
    ranks = random_table(seed, queries, languages)
    found = friedman(ranks).set_index("query_language")["kendalls_w"]
    for asked, rows in ranks.groupby("query_language"):
        wide = rows.pivot(index="query_id", columns="relevant_language", values="rank").to_numpy()
        sums = rankdata(wide, axis=1).sum(axis=0)
        deviations = ((sums - sums.mean()) ** 2).sum()
        assert found[asked] == pytest.approx(12 * deviations / (queries**2 * (languages**3 - languages)))


def test_friedman_uses_only_queries_answered_in_all_languages():
    complete = random_table(0, 10, 4)
    partial = table([("l0", f"p{n}", code, 1 + n) for n in range(50) for code in ("l0", "l1")])
    partial["rank"] += np.arange(len(partial)) % 2
    with_partial = friedman(
        pd.concat([complete, partial, partial.assign(query_language="partial only")], ignore_index=True)
    )
    pd.testing.assert_frame_equal(with_partial, friedman(complete))
    assert friedman(partial).empty


def test_friedman_keeps_data_sets_apart():
    many, few = random_table(1, 10, 5), random_table(2, 8, 3).assign(dataset="few")
    both = friedman(pd.concat([many, few], ignore_index=True).astype({"dataset": "category"}))
    assert both.groupby("dataset")["languages"].unique().map(list).to_dict() == {"d": [5], "few": [3]}


def test_every_mlqa_r_question_has_answers_in_two_languages(real_data: Path):
    """So the paper's mean over all queries holds no distance that is 0 for want of a second answer."""
    languages_of: dict[str, set[str]] = {}
    for file in (real_data / "lareqa" / "mlqa-r").glob("*.json"):
        for article in json.loads(file.read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    languages_of.setdefault(question["id"], set()).add(file.stem)
    assert {len(languages) for languages in languages_of.values()} == {2, 3, 4}
