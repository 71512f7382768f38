"""Friedman's test from ranks: against its definition, and at the ends of its scale."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from hybridnb.measures.bias import friedman


def table(rows: list[tuple], dataset: str = "d") -> pd.DataFrame:
    """The multilingual part of a ranks table from (query language, query id, relevant language, rank)."""
    ranks = pd.DataFrame(rows, columns=["query_language", "query_id", "relevant_language", "rank"])
    return ranks.assign(dataset=dataset, task="multilingual", candidate_language="*", pool_size=1000)


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
        pd.concat(
            [complete, partial, *(partial.assign(query_language=name) for name in ("a", "z"))],
            ignore_index=True,
        )
    )
    pd.testing.assert_frame_equal(with_partial, friedman(complete))
    assert friedman(partial).empty


def test_friedman_keeps_data_sets_apart():
    many, few = random_table(1, 10, 5), random_table(2, 8, 3).assign(dataset="few")
    both = friedman(pd.concat([many, few], ignore_index=True).astype({"dataset": "category"}))
    assert both.groupby("dataset")["languages"].unique().map(list).to_dict() == {"d": [5], "few": [3]}


def test_where_nothing_is_retrieved_no_language_is_preferred():
    found = friedman(table([("de", f"q{q}", code, np.nan) for q in range(3) for code in "abc"])).iloc[0]
    assert (found["statistic"], found["p_value"], found["kendalls_w"]) == (0, 1, 0)
