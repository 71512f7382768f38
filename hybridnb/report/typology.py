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
from hybridnb.places import RESULTS, shipped
from hybridnb.report.tables.headline import MONO
from hybridnb.report.tables.language_bias import ranked
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

PAIRS = {
    "Cr mAP": "mAP across languages",
    "halvings": "halvings of the rank in the pool of all languages",
}

RECORDED = shipped(RESULTS / "typology")
"""Tables that tools/typology.py makes: tokens.csv, and a benchmark's pairs before and after."""

TOKENS = RECORDED / "tokens.csv"
"""model, language, tokens (of all sentences), relative (to English), and which sentences they are."""

Pair = tuple[str, str]
System = Sequence[pd.DataFrame]
Clusters = Mapping[str, str] | None


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


def systems(runs: Sequence[Run], benchmark: str, names: Collection[str]) -> Mapping[str, System]:
    """Those systems of a study that there are.

    Args:
        runs: evaluated on the benchmark.
        benchmark: name or path.
        names: strategies, and methods of debiasing, each put on the `reference`.

    Returns:
        Name -> system, of the seeds that have ranks tables (see `language_bias.ranked`); first the reference, which
        others are held against, and which is empty where none has.
    """
    first = reference({run.strategy for run in runs})
    runs = ranked(runs, benchmark)
    found: dict[str, list[pd.DataFrame]] = {first: []}
    for run in runs:
        if run.strategy in (first, *names):
            found.setdefault(run.strategy, []).append(pair_values(run.ranks(benchmark)))
    of_first = [run for run in runs if run.strategy == first]
    for method in names:
        debiased = [run.debiased(method) for run in of_first if run.is_debiased(benchmark, method)]
        if debiased and len(ranked(debiased, benchmark)) == len(of_first):
            found[method] = [pair_values(run.ranks(benchmark)) for run in debiased]
    return found if found[first] else {first: [pd.DataFrame()]}


def reference(names: Collection[str]) -> str:
    """The system that others are held against: the encoder without fine-tuning, else batches of one language."""
    return next(name for name in (NOT_TRAINED, MONO, *sorted(names)) if name in names)


def mean_gain(
    before: System, after: System, label: str, pairs: Collection[Pair], clusters: Clusters = None
) -> tuple[float, float, float]:
    """How much some pairs of languages gain on average, with the 95 % interval over questions and seeds.

    The interval (see `significance.interval`) is for these languages: it says nothing of others.

    Args:
        before, after: systems.
        label: of `PAIRS`.
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
        return (
            float(np.mean([table["gain"] for table in first]) - np.mean([table["gain"] for table in second])),
            np.nan,
            np.nan,
        )
    return interval(first, second, "gain", clusters)


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


def extremes(
    before: System, after: System, label: str, clusters: Clusters = None, count: int = 2
) -> pd.DataFrame:
    """The ordered pairs that gain most and least, the most first.

    Returns:
        The columns of `gains`, and low and high of `mean_gain`.
    """
    table = gains(before, after, label).sort_values("gain", ascending=False)
    if len(table) > 2 * count:
        table = pd.concat([table.head(count), table.tail(count)])
    pairs = zip(table["query_language"], table["answer_language"], strict=True)
    ends = [mean_gain(before, after, label, [pair], clusters)[1:] for pair in pairs]
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
        URIEL is, if it is, or that there are no pairs.
    """
    codes, note = sorted(languages), ""
    if len(codes) < 2:
        return {}, "There are no pairs of languages, or no other systems, to compare."
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
BEGAN = "level before"


def explained(
    gained: Mapping[str, pd.DataFrame],
    predictors: Mapping[str, pd.DataFrame],
    together: Sequence[str] = (),
    permutations: int = mantel.PERMUTATIONS,
) -> pd.DataFrame:
    """Is what pairs have before, what they have after, and what they gain explained? See `mantel.regression`.

    Pairs that have least before can gain most. So the gain is also explained beside what was there before: what of it
    goes by the distance of the languages is then not merely that distant ones begin lower.

    Args:
        gained: system -> `gains`.
        predictors: of `predictors`.
        together: those that are put into one regression; left out, each is tested by itself.

        permutations: of each test.

    Returns:
        Index (system, of, predictor), of: out of `OUTCOMES`; slope, low, high, p, least, and p_holm, corrected for all
        predictors of one outcome of a system. No rows where there are too few languages to tell.
    """
    sets = (
        [[name for name in together if name in predictors]] if together else [[name] for name in predictors]
    )
    parts = {}
    for (system, table), of in product(gained.items(), OUTCOMES):
        response = matrix(table, of.partition(",")[0])
        if len(response) < mantel.LEAST or not any(sets):
            continue
        beside = _symmetric({BEGAN: matrix(table, "before")}) if of == OUTCOMES[-1] else {}
        tests = [
            mantel.regression(
                response, {**{name: predictors[name] for name in names}, **beside}, permutations
            )
            for names in sets
        ]
        found = pd.concat(tests).drop(BEGAN, errors="ignore")
        known = found["p"].notna()
        found.loc[known, "p_holm"] = holm(found.loc[known, "p"].to_numpy())
        parts[system, of] = found
    columns = ["slope", "low", "high", "p", "least", "p_holm"]
    index = pd.MultiIndex.from_arrays([[], [], []], names=["system", "of", "predictor"])
    return pd.concat(parts, names=["system", "of"]) if parts else pd.DataFrame(columns=columns, index=index)


def _symmetric(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {name: (table + table.T) / 2 for name, table in tables.items()}


def sure(explained: pd.DataFrame) -> pd.Series[bool]:
    """Which slopes are found both ways: corrected p below .05, and 0 outside the interval over languages."""
    return (explained["p_holm"] < 0.05) & ((explained["low"] > 0) | (explained["high"] < 0))


def as_text(explained: pd.DataFrame) -> pd.DataFrame:
    """`explained` to be read: slope, its interval and p (Holm), starred where it is `sure`; a column a system."""
    values = explained[["slope", "low", "high", "p_holm"]].to_numpy(np.float64).tolist()
    text = [
        f"{slope:+.2f} [{low:+.2f}, {high:+.2f}] p {'<.001' if p < 0.0005 else f'{p:.3f}'}{'*' if star else ''}"
        for (slope, low, high, p), star in zip(values, sure(explained), strict=True)
    ]
    return pd.Series(text, explained.index, dtype=object).unstack("system", sort=False)


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
        named: of `systems`.
        label: of `PAIRS`.
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


def scatter(
    gained: Mapping[str, pd.DataFrame],
    predictors: Mapping[str, pd.DataFrame],
    features: str,
    explained: pd.DataFrame,
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """What `gains.gain_scatter` draws: system -> pairs, and system -> slope and p; nothing without the features."""
    if features not in predictors:
        return {}, {}
    distance, unseen = predictors[features], predictors.get("unseen", predictors[features] * 0)
    tables = {name: unordered(table, distance=distance, unseen=unseen) for name, table in gained.items()}
    rows = explained.xs(("gain", features), level=("of", "predictor")) if len(explained) else explained
    notes = {str(name): f"r = {row.slope:+.2f}, p = {row.p:.3f}" for name, row in rows.iterrows()}
    return tables, notes


def findings(explained: pd.DataFrame, label: str, grouped: pd.DataFrame) -> list[str]:
    """What was found of one label of `PAIRS`, in sentences.

    Args:
        explained: each predictor by itself.
        label: whose gains.
        grouped: of `group_gains`, with a group "all"; may be empty.
    """
    sentences = []
    keys = pd.DataFrame(explained.index.to_list(), columns=["system", "of", "predictor"])
    for system in dict.fromkeys([*grouped["system"], *keys["system"]]):
        rows = grouped[(grouped["system"] == system) & (grouped["group"] == "all")]
        sentences += [
            f"{system}, mean gain in {label}: {row.gain:+.3f} [{row.low:+.3f}, {row.high:+.3f}]."
            for row in rows.itertuples()
        ]
        for of in ("gain", "gain, given before"):
            chosen = ((keys["system"] == system) & (keys["of"] == of)).to_numpy()
            tested = explained[chosen].droplevel(["system", "of"]).sort_values("p")
            found = tested[sure(tested)]
            told = [
                f"{row.Index} (slope {row.slope:+.2f}, p {row.p:.3f}, corrected {row.p_holm:.3f})"
                for row in (found if len(found) else tested.head(1)).itertuples()
            ]
            if told:
                how = (
                    f"{len(found)} of {len(tested)} are sure: "
                    if len(found)
                    else "none is sure; the nearest is "
                )
                sentences.append(f"{system}, what goes along with the {of}: {how}{', '.join(told)}.")
    return sentences


def power(gained: Mapping[str, pd.DataFrame], predictors: Mapping[str, pd.DataFrame], features: str) -> str:
    """How large a correlation must be to be found four times in five, in a sentence; "" where it cannot be told."""
    found = {}
    for system, table in gained.items():
        response = matrix(table, "gain")
        whole = (response.notna() | response.T.notna()).to_numpy().sum() == len(response) * (
            len(response) - 1
        )
        if features in predictors and len(response) >= mantel.LEAST and whole:
            level = 0.05 / len(predictors)
            found[system] = [
                mantel.resolvable(response, predictors[features], level=p) for p in (0.05, level)
            ]
    if not found:
        return ""
    count = len(matrix(next(iter(gained.values())), "gain"))
    told = "; ".join(f"{one:.2f} and {all_of:.2f} ({system})" for system, (one, all_of) in found.items())
    return (
        f"{count} languages are {count * (count - 1) // 2} pairs, but no more than {count} independent units. "
        f"Found four times in five is a correlation with {features} of, in a single test and in one of "
        f"{len(predictors)}: {told}. A smaller one may well be there and not be seen."
    )


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
