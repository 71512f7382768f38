"""Which pairs of languages gain, and is it explained by how far apart they are? From ranks tables, with no model.

What is measured of a pair (language of the query, language of the answers), the labels of `PAIRS`; more is better:

- "Cr mAP", among the candidates in the answers' language alone;
- "halvings", - log2 of the answers' rank in the pool of all languages: one more is a rank half as large.

A system is a list of what `pair_values` gives, a table a seed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridnb.corpora import uriel
from hybridnb.corpora.scripts import script
from hybridnb.corpora.source import MissingData
from hybridnb.measures import mantel
from hybridnb.measures.metrics import per_query
from hybridnb.measures.significance import holm, interval
from hybridnb.places import RESULTS
from hybridnb.report.tables import MONO
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

PAIRS = {
    "Cr mAP": "mAP across languages",
    "halvings": "halvings of the rank in the pool of all languages",
}

FOREMOST = "syntax_knn"
"""The features that figures place languages by."""

TOKENS = RESULTS / "typology" / "tokens.csv"
"""model, language, tokens (of all sentences), relative (to English), ...: made by tools/typology.py."""

Pair = tuple[str, str]
System = Sequence[pd.DataFrame]


def pair_values(ranks: pd.DataFrame) -> pd.DataFrame:
    """What every question gives for every ordered pair of two languages.

    Args:
        ranks: one run's ranks table, of one data set.

    Returns:
        Index query_id; columns (label of `PAIRS`, query language, answers' language), as far as there are such tasks.
        NaN where a question has no answers; halvings are NaN for all of a pair where a rank is missing.

    Example:
        >>> rows = [("crosslingual", "de", "en", "q", "en", 2), ("multilingual", "de", "*", "q", "en", 8)]
        >>> columns = ["task", "query_language", "candidate_language", "query_id", "relevant_language", "rank"]
        >>> ranks = pd.DataFrame(rows, columns=columns).assign(dataset="d", pool_size=9)
        >>> pair_values(ranks).loc["q"].to_dict()
        {('Cr mAP', 'de', 'en'): 0.5, ('halvings', 'de', 'en'): -3.0}
    """
    tables = {}
    across = ranks[ranks["task"] == "crosslingual"]
    if len(across):
        tables["Cr mAP"] = _wide(per_query(across), "candidate_language", "map")
    merged = ranks[ranks["task"] == "multilingual"]
    merged = merged[merged["query_language"].astype(str) != merged["relevant_language"].astype(str)]
    if len(merged):
        rank = merged["rank"].to_numpy(np.float64, na_value=np.nan)
        # a rank that is missing must not be left out of a mean
        halvings = merged.assign(halvings=-np.log2(np.where(np.isnan(rank), np.inf, rank)))
        table = _wide(halvings, "relevant_language", "halvings")
        table.loc[:, np.isinf(table).any()] = np.nan
        tables["halvings"] = table
    return pd.concat(tables, axis=1) if tables else pd.DataFrame()


def _wide(table: pd.DataFrame, answers: str, value: str) -> pd.DataFrame:
    keys = [table[column].astype(str) for column in ("query_id", "query_language", answers)]
    return table[value].groupby(keys).mean().unstack([1, 2])


def systems(runs: Sequence[Run], benchmark: str, methods: Sequence[str] = ()) -> Mapping[str, System]:
    """The systems of a study, by strategy, and the encoder that is not trained with each method put on it.

    Args:
        runs: evaluated on the benchmark.
        benchmark: name or path.
        methods: of debiasing; those that were not evaluated are left out.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        found.setdefault(run.strategy, []).append(pair_values(run.ranks(benchmark)))
        for method in methods if run.strategy == NOT_TRAINED else ():
            if run.is_debiased(benchmark, method):
                found[method] = [pair_values(run.debiased(method).ranks(benchmark))]
    return found


def reference(names: Collection[str]) -> str:
    """The system that others are held against: the encoder without fine-tuning, else batches of one language."""
    return next(name for name in (NOT_TRAINED, MONO, *names) if name in names)


def mean_gain(
    before: System, after: System, label: str, pairs: Collection[Pair]
) -> tuple[float, float, float]:
    """How much some pairs of languages gain on average, with the 95 % interval over questions and seeds.

    The interval (see `significance.interval`) is for these languages: it says nothing of others.

    Args:
        before, after: systems.
        label: of `PAIRS`.
        pairs: (query language, answers' language); those that are not measured are left out.

    Returns:
        (gain, low, high); NaN where none of the pairs is measured.
    """
    columns = [(label, *pair) for pair in pairs if (label, *pair) in after[0] and (label, *pair) in before[0]]
    columns = [column for column in columns if after[0][column].notna().any()]
    if not columns:
        return np.nan, np.nan, np.nan
    first, second = ([_contributions(table[columns]) for table in system] for system in (after, before))
    return interval(first, second, "gain")


def _contributions(values: pd.DataFrame) -> pd.DataFrame:
    """Values of questions whose mean is the mean over pairs of the means over each pair's questions."""
    there = values.dropna(how="all")
    weights = len(there) / there.notna().sum() / there.shape[1]
    return pd.DataFrame({"gain": (there * weights).sum(axis=1)})


def gains(before: System, after: System, label: str) -> pd.DataFrame:
    """Every pair before and after, means over questions and seeds.

    Args:
        before, after: systems, measured on the same pairs.
        label: of `PAIRS`.

    Returns:
        A row an ordered pair: query_language, answer_language, before, after, gain.
    """
    means = {}
    for name, system in (("before", before), ("after", after)):
        means[name] = pd.DataFrame([table[label].mean() for table in system]).mean()
    table = pd.DataFrame(means).rename_axis(["query_language", "answer_language"])
    return table.assign(gain=table["after"] - table["before"]).reset_index()


def extremes(before: System, after: System, label: str, count: int = 3) -> pd.DataFrame:
    """The ordered pairs that gain most and least, the most first.

    Returns:
        The columns of `gains`, and low and high of `mean_gain`.
    """
    table = gains(before, after, label).sort_values("gain", ascending=False)
    if len(table) > 2 * count:
        table = pd.concat([table.head(count), table.tail(count)])
    pairs = zip(table["query_language"], table["answer_language"], strict=True)
    ends = [mean_gain(before, after, label, [pair])[1:] for pair in pairs]
    return table.assign(low=[low for low, _ in ends], high=[high for _, high in ends]).reset_index(drop=True)


def pairs_of(system: System, label: str) -> list[Pair]:
    """The ordered pairs of languages that are measured."""
    return list(system[0][label].columns) if label in system[0] else []


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


def predictors(
    languages: Collection[str], trained: Collection[str] = (), model: str = ""
) -> tuple[dict[str, pd.DataFrame], str]:
    """What may explain a gain, of every pair of languages.

    Args:
        languages: of the benchmark.
        trained: those of fine-tuning.
        model: whose tokenizer is asked.

    Returns:
        (name -> languages x languages, note). The sets of features of `uriel.distances`; "other script" and "unseen"
        (whether fine-tuning lacked either of the two), 0 or 1; "tokens", the mean over both of log2 of the tokens
        that a sentence takes relative to English. What does not vary or is not known is left out; the note says why
        URIEL is, if it is.
    """
    codes, note = sorted(languages), ""
    try:
        found = uriel.distances(codes)
    except (MissingData, ValueError) as error:
        found, note = {}, f"No typological distances: {error}"
    scripts = np.array([script(code) for code in codes])
    found["other script"] = _table(codes, scripts[:, None] != scripts)
    taken = tokens(model).reindex(codes).to_numpy(np.float64)
    found["tokens"] = _table(codes, (np.log2(taken)[:, None] + np.log2(taken)) / 2)
    unseen = np.array([code not in trained for code in codes])
    found["unseen"] = _table(codes, unseen[:, None] | unseen)
    apart = ~np.eye(len(codes), dtype=bool)
    varying = {name: len(set(table.to_numpy()[apart])) > 1 for name, table in found.items()}
    known = {name: table.notna().all(axis=None) for name, table in found.items()}
    return {name: table for name, table in found.items() if varying[name] and known[name]}, note


def tokens(model: str) -> pd.Series[float]:
    """How many tokens a sentence takes with a model's tokenizer, relative to English, by language; empty if unknown."""
    table = pd.read_csv(TOKENS)
    return table[table["model"] == model].set_index("language")["relative"]


def _table(codes: Sequence[str], values: NDArray[np.generic]) -> pd.DataFrame:
    return pd.DataFrame(values.astype(np.float64), index=list(codes), columns=list(codes))


OUTCOMES = ("before", "after", "gain", "gain, given before")


def explained(
    gained: Mapping[str, pd.DataFrame], predictors: Mapping[str, pd.DataFrame], together: Sequence[str] = ()
) -> pd.DataFrame:
    """Is what pairs have before, what they have after, and what they gain explained? See `mantel.regression`.

    Pairs that have least before can gain most. So the gain is also explained beside what was there before: what of it
    goes by the distance of the languages is then not merely that distant ones begin lower.

    Args:
        gained: system -> `gains`.
        predictors: of `predictors`.
        together: those that are put into one regression; left out, each is tested by itself.

    Returns:
        Index (system, of, predictor), of: out of `OUTCOMES`; slope, low, high, p, least, and p_holm, corrected for all
        predictors of one outcome of a system.

    Raises:
        ValueError: there are too few languages.
    """
    sets = (
        [[name for name in together if name in predictors]] if together else [[name] for name in predictors]
    )
    parts = {}
    for (system, table), of in product(gained.items(), OUTCOMES):
        beside = {"level before": matrix(table, "before")} if of == OUTCOMES[-1] else {}
        response = matrix(table, of.partition(",")[0])
        found = pd.concat(
            [
                mantel.regression(
                    response, {**{name: predictors[name] for name in names}, **_symmetric(beside)}
                )
                for names in sets
            ]
        )
        found = found[found.index != "level before"]
        known = found["p"].notna()
        found.loc[known, "p_holm"] = holm(found.loc[known, "p"].to_numpy())
        parts[system, of] = found
    return pd.concat(parts, names=["system", "of"])


def _symmetric(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {name: (table + table.T) / 2 for name, table in tables.items()}


def groups(pairs: Collection[Pair], predictors: Mapping[str, pd.DataFrame]) -> dict[str, list[Pair]]:
    """Groups of pairs whose gains are compared: by presence in fine-tuning and by script, as far as they differ."""
    names = {"unseen": ("both seen", "one or both unseen"), "other script": ("same script", "other script")}
    found = {"all": list(pairs)}
    for predictor, parts in names.items():
        for value, name in enumerate(parts) if predictor in predictors else ():
            found[name] = [pair for pair in pairs if predictors[predictor].at[pair] == value]
    return found


def group_gains(
    named: Mapping[str, System], before: str, label: str, groups: Mapping[str, Collection[Pair]]
) -> pd.DataFrame:
    """The mean gain of groups of pairs.

    Args:
        named: of `systems`.
        before: one of them.
        label: of `PAIRS`.
        groups: name -> pairs.

    Returns:
        A row for each other system and group: system, group, pairs, gain, low, high (see `mean_gain`).
    """
    rows = [
        (system, group, len(pairs), *mean_gain(named[before], tables, label, pairs))
        for system, tables in named.items()
        if system != before
        for group, pairs in groups.items()
    ]
    return pd.DataFrame(rows, columns=["system", "group", "pairs", "gain", "low", "high"])


def by_language(before: System, after: System, label: str) -> pd.DataFrame:
    """The mean gain of the pairs in which each language asks, and in which it answers.

    Returns:
        A row a language and role: language, role ("asks" or "answers"), gain, low, high (see `mean_gain`).
    """
    pairs = pairs_of(after, label)
    rows = [
        (
            language,
            role,
            *mean_gain(before, after, label, [pair for pair in pairs if pair[place] == language]),
        )
        for place, role in enumerate(("asks", "answers"))
        for language in sorted({pair[place] for pair in pairs})
    ]
    return pd.DataFrame(rows, columns=["language", "role", "gain", "low", "high"])


def plane(distances: pd.DataFrame) -> pd.DataFrame:
    """Languages on a plane, as near to their distances as two axes allow: classical multidimensional scaling.

    With J = I - 1/n, the two leading eigenvectors of -1/2 J D^2 J, times the square roots of their eigenvalues.
    Source: Torgerson, Multidimensional scaling: I. Theory and method (Psychometrika 17, 1952).

    Args:
        distances: languages x languages, symmetric.

    Returns:
        Index language; x, y.

    Example:
        >>> line = pd.DataFrame([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]], list("abc"), list("abc"))
        >>> plane(line)["x"].round(3).abs().tolist()
        [1.333, 0.333, 1.667]
    """
    squares = distances.to_numpy(np.float64) ** 2
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    values, axes = np.linalg.eigh(-centred / 2)
    places = axes[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0))
    # an axis has no direction of its own: its farthest language lies in the positive
    places *= np.sign(places[np.abs(places).argmax(axis=0), [0, 1]])
    return pd.DataFrame(places, distances.index, ["x", "y"])
