"""How much pairs of languages gain from one system to another: each, on average over groups, and with what interval."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from hybridnb.measures.significance import interval
from hybridnb.places import RESULTS, shipped
from hybridnb.report.typology.values import Clusters, Pair, System, pairs_of

RECORDED = shipped(RESULTS / "typology")
"""Tables that tools/typology.py makes: tokens.csv, and a benchmark's pairs before and after."""

BEGAN = "level before"
"""What pairs had before, where it stands beside what explains their gain."""


def gains(before: System, after: System, label: str) -> pd.DataFrame:
    """Every pair before and after, means over questions and seeds.

    Args:
        before, after: systems, measured on the same pairs.
        label: of `values.PAIRS`.

    Returns:
        A row an ordered pair: query_language, answer_language, before, after, gain.
    """
    means = {}
    for name, system in (("before", before), ("after", after)):
        means[name] = pd.DataFrame([table[label].mean() for table in system]).mean()
    table = pd.DataFrame(means).rename_axis(["query_language", "answer_language"])
    return table.assign(gain=table["after"] - table["before"]).reset_index()


def all_gains(named: Mapping[str, System], label: str) -> dict[str, pd.DataFrame]:
    """System -> `gains` on the first system; none where the benchmark has no such pairs."""
    before = next(iter(named.values()))
    others = list(named.items())[1:] if label in before[0] else []
    return {name: gains(before, system, label) for name, system in others}


def recorded(benchmark: str, label: str) -> pd.DataFrame:
    """What `gains` gave for a benchmark, out of `RECORDED`; empty where it is not recorded."""
    file = RECORDED / f"{benchmark}.csv"
    if not file.is_file():
        return pd.DataFrame(columns=["query_language", "answer_language", "before", "after", "gain"])
    table = pd.read_csv(file, keep_default_na=False)
    table = table[table["measure"] == label].drop(columns="measure").reset_index(drop=True)
    return table.assign(gain=table["after"] - table["before"])


def matrix(gains: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column of `gains` as all languages x all languages; NaN where a pair is not measured."""
    codes = sorted({*gains["query_language"], *gains["answer_language"]})
    wide = gains.pivot(index="query_language", columns="answer_language", values=column)
    return wide.reindex(index=codes, columns=codes)


def unordered(gains: pd.DataFrame, **of_pairs: pd.DataFrame) -> pd.DataFrame:
    """The gain of every pair of languages, the mean of both ways, beside what else is known of it.

    Args:
        gains: of `gains`.
        of_pairs: name -> languages x languages, symmetric, of these languages in alphabetical order.

    Returns:
        A row a pair: one, other (the languages, in alphabetical order), gain, and the names of `of_pairs`.
    """
    one_way = matrix(gains, "gain")
    both = one_way.fillna(one_way.T).to_numpy(np.float64)
    values = {"gain": (both + both.T) / 2, **{name: t.to_numpy(np.float64) for name, t in of_pairs.items()}}
    codes, (first, second) = one_way.index, np.triu_indices(len(one_way), 1)
    table = pd.DataFrame({"one": codes[first], "other": codes[second]})
    return table.assign(**{name: v[first, second] for name, v in values.items()}).dropna(subset="gain")


def alike(gained: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Do the same pairs gain by one system as by another, and are they those that began low?

    Returns:
        System x (system, or "level before"): Pearson's correlation over the ordered pairs of gain and gain, or level.
    """
    gain = {
        name: table.set_index(["query_language", "answer_language"])["gain"] for name, table in gained.items()
    }
    before = next(iter(gained.values())).set_index(["query_language", "answer_language"])["before"]
    return pd.DataFrame({**gain, BEGAN: before}).corr().drop(index=BEGAN)


def mean_gain(
    before: System, after: System, label: str, pairs: Collection[Pair], clusters: Clusters = None
) -> tuple[float, float, float]:
    """How much some pairs of languages gain on average, with the 95 % interval over questions and seeds.

    The interval (see `significance.interval`) is for these languages: it says nothing of others.

    Args:
        before, after: systems.
        label: of `values.PAIRS`.
        pairs: (query language, answers' language); those that are not measured are left out.
        clusters: of questions, as of `significance.interval`.

    Returns:
        (gain, low, high); NaN where none of the pairs is measured, and no interval of one question.
    """
    columns = [(label, *pair) for pair in pairs if (label, *pair) in after[0] and (label, *pair) in before[0]]
    columns = [column for column in columns if after[0][column].notna().any()]
    if not columns:
        return np.nan, np.nan, np.nan
    first, second = ([_contributions(table[columns]) for table in system] for system in (after, before))
    if len(first[0]) == 1:
        one, other = (float(np.mean([table["gain"] for table in side])) for side in (first, second))
        return one - other, np.nan, np.nan
    return interval(first, second, "gain", clusters)


def _contributions(values: pd.DataFrame) -> pd.DataFrame:
    """Values of questions whose mean is the mean over pairs of the means over each pair's questions."""
    there = values.dropna(how="all")
    weights = len(there) / there.notna().sum() / there.shape[1]
    return pd.DataFrame({"gain": (there * weights).sum(axis=1)})


def extremes(before: System, after: System, label: str, clusters: Clusters = None) -> pd.DataFrame:
    """The two ordered pairs that gain most and the two that gain least, the most first.

    Returns:
        The columns of `gains`, and low and high of `mean_gain`.
    """
    table = gains(before, after, label).sort_values("gain", ascending=False)
    if len(table) > 4:
        table = pd.concat([table.head(2), table.tail(2)])
    pairs = zip(table["query_language"], table["answer_language"], strict=True)
    ends = [mean_gain(before, after, label, [pair], clusters)[1:] for pair in pairs]
    return table.assign(low=[low for low, _ in ends], high=[high for _, high in ends]).reset_index(drop=True)


def groups(pairs: Collection[Pair], predictors: Mapping[str, pd.DataFrame]) -> dict[str, list[Pair]]:
    """Groups of pairs whose gains are compared: by presence in fine-tuning and by script, as far as they differ."""
    names = {"unseen": ("both seen", "one or both unseen"), "other script": ("same script", "other script")}
    found = {"all": list(pairs)}
    for predictor, parts in names.items():
        for value, name in enumerate(parts) if predictor in predictors else ():
            found[name] = [pair for pair in pairs if predictors[predictor].at[pair] == value]
    return found


def group_gains(
    named: Mapping[str, System],
    label: str,
    groups: Mapping[str, Collection[Pair]],
    clusters: Clusters = None,
) -> pd.DataFrame:
    """The mean gain of groups of pairs on the first system.

    Args:
        named: of `values.systems`.
        label: of `values.PAIRS`.
        groups: name -> pairs.

    Returns:
        A row for each other system and group: system, group, pairs, gain, low, high (see `mean_gain`).
    """
    (_, before), *others = named.items()
    rows = [
        (name, group, len(pairs), *mean_gain(before, system, label, pairs, clusters))
        for name, system in others
        for group, pairs in groups.items()
    ]
    return pd.DataFrame(rows, columns=["system", "group", "pairs", "gain", "low", "high"])


def means_as_text(grouped: pd.DataFrame) -> pd.DataFrame:
    """`group_gains` to be read: a row a group and its pairs, a column a system."""
    text = [f"{row.gain:+.3f} [{row.low:+.3f}, {row.high:+.3f}]" for row in grouped.itertuples()]
    wide = grouped.assign(text=text).set_index(["group", "pairs", "system"])["text"]
    return wide.unstack("system", sort=False)


def by_language(before: System, after: System, label: str, clusters: Clusters = None) -> pd.DataFrame:
    """The mean gain of the pairs in which each language asks, and in which it answers.

    Returns:
        A row a language and role: language, role ("asks" or "answers"), gain, low, high (see `mean_gain`).
    """
    pairs = pairs_of(after, label)
    rows = []
    for place, role in enumerate(("asks", "answers")):
        for language in sorted({pair[place] for pair in pairs}):
            of_language = [pair for pair in pairs if pair[place] == language]
            rows.append((language, role, *mean_gain(before, after, label, of_language, clusters)))
    return pd.DataFrame(rows, columns=["language", "role", "gain", "low", "high"])
