"""Which pairs, groups and languages gain."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridnb.measures.significance import interval
from hybridnb.report.typology import distances, gains, values
from hybridnb.study.settings import NOT_TRAINED

CODES = ("de", "en", "hi", "ru", "th", "vi")
TRAINED = ("de", "en", "hi", "ru", "th")


@pytest.mark.parametrize("label", values.PAIRS)
def test_a_gain_is_of_means_over_seeds(named: dict[str, values.System], label: str) -> None:
    before, after = named[NOT_TRAINED], named["X-Y"]
    table = gains.gains(before, after, label).set_index(["query_language", "answer_language"])
    assert len(table) == 30 and (table["gain"] > 0).mean() > 0.8
    first = [pd.DataFrame({"x": seed[label, "de", "vi"]}) for seed in after]
    second = [pd.DataFrame({"x": seed[label, "de", "vi"]}) for seed in before]
    expected = interval(first, second, "x")
    assert gains.mean_gain(before, after, label, [("de", "vi")]) == pytest.approx(expected)
    assert table.loc[("de", "vi"), "gain"] == pytest.approx(expected[0])
    clusters = {f"q{n}": str(n // 4) for n in range(12)}
    expected = interval(first, second, "x", clusters)
    assert gains.mean_gain(before, after, label, [("de", "vi")], clusters) == pytest.approx(expected)
    pairs = [("de", "vi"), ("vi", "de"), ("ru", "en")]
    mean, low, high = gains.mean_gain(before, after, label, [*pairs, ("de", "xx")])
    assert mean == pytest.approx(table.loc[pairs, "gain"].mean()) and low < mean < high
    assert np.isnan(gains.mean_gain(before, after, label, [("xx", "yy")])).all()
    gain, *ends = gains.mean_gain(
        [before[0].head(1)], [seed.head(1) for seed in after], label, [("de", "vi")]
    )
    column = (label, "de", "vi")
    assert gain == pytest.approx(
        np.mean([seed[column].iloc[0] for seed in after]) - before[0][column].iloc[0]
    )
    assert np.isnan(ends).all()


def test_pairs_with_other_questions_count_alike() -> None:
    columns = pd.MultiIndex.from_tuples([("Cr mAP", "de", "en"), ("Cr mAP", "en", "de")])
    before = pd.DataFrame(0.0, list("abcd"), columns)
    after = pd.DataFrame([[0.2, np.nan], [0.4, np.nan], [0.6, 0.8], [np.nan, np.nan]], list("abcd"), columns)
    before = before.where(after.notna())
    assert gains.mean_gain([before], [after], "Cr mAP", list(after["Cr mAP"]))[0] == pytest.approx(0.6)


def test_extremes_and_languages(named: dict[str, values.System]) -> None:
    before, after = named[NOT_TRAINED], named["one-map"]
    table = gains.extremes(before, after, "Cr mAP")
    everything = gains.gains(before, after, "Cr mAP")["gain"]
    assert table["gain"].tolist() == [*everything.nlargest(2), *everything.nsmallest(2)[::-1]]
    assert (table["low"] < table["gain"]).all() and (table["gain"] < table["high"]).all()
    languages = gains.by_language(before, after, "Cr mAP")
    assert languages["language"].tolist() == [*CODES, *CODES]
    gained = gains.gains(before, after, "Cr mAP")
    asks = gained.groupby("query_language")["gain"].mean()
    assert languages.head(6)["gain"].tolist() == pytest.approx(asks.tolist())
    answers = gained.groupby("answer_language")["gain"].mean()
    assert languages.tail(6)["gain"].tolist() == pytest.approx(answers.tolist())


def test_systems_gain_alike_where_the_same_pairs_do(named: dict[str, values.System]) -> None:
    gained = gains.all_gains(named, "Cr mAP")
    table = gains.alike(gained)
    both = [gained[name].sort_values(["query_language", "answer_language"])["gain"] for name in gained]
    assert list(gained) == ["X-Y", "one-map"] == list(table.index)
    assert list(table) == ["X-Y", "one-map", "level before"]
    began = gained["X-Y"][["gain", "before"]].corr().iloc[0, 1]
    assert table.at["X-Y", "level before"] == pytest.approx(began)
    assert table.at["X-Y", "one-map"] == pytest.approx(np.corrcoef(both)[0, 1])
    assert gains.all_gains(named, "unknown") == {}


def test_pairs_of_a_benchmark_are_recorded() -> None:
    table = gains.recorded("captions-flickr", "halvings")
    assert len(table) == 36 * 35 and len(set(table["query_language"])) == 36
    assert table["gain"].mean() > 0
    assert len(gains.recorded("no such benchmark", "halvings")) == 0


def test_groups_of_pairs(named: dict[str, values.System]) -> None:
    found, _ = distances.predictors(CODES, TRAINED)
    pairs = values.pairs_of(named["X-Y"], "Cr mAP")
    groups = gains.groups(pairs, found)
    assert {name: len(of) for name, of in groups.items()} == {
        **{"all": 30, "both seen": 20, "one or both unseen": 10, "same script": 6, "other script": 24}
    }
    table = gains.group_gains(named, "Cr mAP", groups).set_index(["system", "group"])
    assert len(table) == 2 * 5
    text = gains.means_as_text(table.reset_index())
    assert list(text) == ["X-Y", "one-map"] and text.index[2] == ("one or both unseen", 10)
    assert text.at[("all", 30), "X-Y"].startswith(f"{table.at[('X-Y', 'all'), 'gain']:+.3f} [")
    unseen = gains.mean_gain(named[NOT_TRAINED], named["X-Y"], "Cr mAP", groups["one or both unseen"])
    assert table.loc[("X-Y", "one or both unseen"), ["gain", "low", "high"]].tolist() == pytest.approx(unseen)
