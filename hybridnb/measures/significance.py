"""Is one strategy better than another, by how much, and how sure is that? Paired tests over questions and seeds.

The unit is the question, not the query: its translations are asked of the same answers, so they are no independent
evidence. Every question brings what it adds to the macro-average over languages (or language pairs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hybridnb.measures.catalogue import MEASURES
from hybridnb.measures.metrics import per_query

LEVEL = 0.05
"""Of the corrected p below which a difference is more than chance, and a claim held or refuted."""

RESAMPLES = 9_999
"""Of the randomisation test: p-values are multiples of 1 / 10,000."""


def question_values(ranks: pd.DataFrame) -> pd.DataFrame:
    """What each question adds to every measure: values whose mean over the questions is the measure.

    A measure is a mean over languages (or pairs of them) of means over their queries. So a query counts
    questions / (languages * queries of its language), and the values of a question's queries are added up: those of
    one id, and those of one image, whose captions in different languages are no independent evidence.

    Args:
        ranks: one run's ranks table, of one data set.

    Returns:
        Index query_id (of captions the image), a column for the label of each measure of `catalogue.MEASURES` that is
        known of these ranks.

    Raises:
        ValueError: as `metrics.per_query`.
    """
    parts = []
    for task, table in per_query(ranks).groupby("task", observed=True):
        labels = {measure.name: measure.label for measure in MEASURES.values() if measure.task == task}
        values = table[list(labels)].dropna(axis="columns")
        pools = table.groupby(["query_language", "candidate_language"], observed=True)
        size = pools["query_id"].transform("size")
        weighted = values.div(size, axis=0) / pools.ngroups
        parts.append(weighted.groupby(_questions(table)).sum().rename(columns=labels))
    # a question may be in no pool of a task
    together = pd.concat(parts, axis=1).fillna(0)
    return together[[label for label in MEASURES if label in together]] * len(together)


def _questions(table: pd.DataFrame) -> pd.Series:
    """The question of each query: its id, without the "@LANGUAGE" that ends the ids of captions."""
    ids, languages = table["query_id"].astype(str), table["query_language"].astype(str)
    if not ids.str.contains("@", regex=False).any():
        return ids
    own = [id_.removesuffix(f"@{language}") for id_, language in zip(ids, languages, strict=True)]
    return pd.Series(own, index=table.index, name="query_id")


def interval(
    first: Sequence[pd.DataFrame],
    second: Sequence[pd.DataFrame],
    label: str,
    clusters: Mapping[str, str] | None = None,
) -> tuple[float, float, float]:
    """How much higher a measure is with one strategy than with another, with its 95 % interval.

    Questions and seeds are both samples, as in Clark's min F' (The language-as-fixed-effect fallacy, J. Verbal
    Learning and Verbal Behavior 12, 1973). Of the differences d[s, q] of S seeds and Q questions,

        m = mean of all d
        a = var over q of (mean over s of d) / Q       the squared standard error over questions
        b = var over s of (mean over q of d) / S       the squared standard error over seeds, 0 with one seed
        f = (a + b)^2 / (a^2 / (Q - 1) + b^2 / (S - 1))       degrees of freedom, after Satterthwaite

    (var with S - 1 or Q - 1 in the denominator), and the interval is m +- t(0.975, f) sqrt(a + b), t the quantile of
    Student's distribution. m^2 / (a + b) is min F' = F1 F2 / (F1 + F2) of the tests over questions (F1 = m^2 / a) and
    over seeds (F2 = m^2 / b). With one seed on both sides it speaks of these encoders alone.

    Questions of one cluster are no independent evidence: of K clusters, of n_k questions whose d add up to s_k,
    a = K / (K - 1) sum (s_k - m n_k)^2 / Q^2, and K - 1 takes the place of Q - 1.

    Args:
        first, second: `question_values` of each strategy's runs, a table a seed, in the same order of seeds; a side of
            one run (an encoder that is not trained has no seeds) is held against each of the other's.
        label: of the measure, a column of these tables.
        clusters: question -> what it has in common with others, such as its paragraph; one that is not named stands
            by itself.

    Returns:
        (difference, low, high), first minus second.

    Raises:
        ValueError: the runs do not match, or there is one question only.

    Example:
        >>> first, second = (pd.DataFrame({"Mo mAP": values}) for values in ([0.5, 0.7, 0.9], [0.4, 0.5, 0.6]))
        >>> [round(end, 3) for end in interval([first], [second], "Mo mAP")]
        [0.2, -0.048, 0.448]
    """
    sums, sizes = cluster_sums(*differences(first, second, label), clusters)
    if len(sizes) < 2:
        raise ValueError("one question has no interval: evaluate on two or more")
    difference = float(sums.sum() / sizes.sum() / len(sums))
    of_clusters = (sums.mean(axis=0) - difference * sizes) * (len(sizes) / sizes.sum())
    errors, freedoms = [], []
    for means in (of_clusters, sums.sum(axis=1) / sizes.sum()):
        if len(means) > 1:
            errors.append(means.var(ddof=1) / len(means))
            freedoms.append(len(means) - 1)
    error = sum(errors)
    if error == 0:
        return difference, difference, difference
    freedom = error**2 / sum(e**2 / f for e, f in zip(errors, freedoms, strict=True))
    reach = float(stats.t.ppf(0.975, freedom) * error**0.5)
    return difference, difference - reach, difference + reach


def compare(
    first: Sequence[pd.DataFrame],
    second: Sequence[pd.DataFrame],
    labels: Sequence[str],
    clusters: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """How one strategy differs from another, measure by measure.

    The p-value asks whether these trained encoders differ on other questions, the interval whether the strategies do on
    other questions and seeds.

    Args:
        first, second, clusters: as for `interval`.
        labels: of the measures.

    Returns:
        A row a label: difference, low, high of `interval`; effect, the difference over the standard deviation of the
        questions' differences (Cohen's d_z), of the same sign as the difference; p of the `randomisation_test` over
        questions or their clusters, of means over seeds.

    Raises:
        ValueError: the runs do not match.

    Example:
        >>> first, second = (pd.DataFrame({"Mo mAP": values}) for values in ([0.5, 0.7, 0.9], [0.4, 0.5, 0.6]))
        >>> compare([first], [second], ["Mo mAP"]).round(3)
                difference    low   high  effect      p
        Mo mAP         0.2 -0.048  0.448     2.0  0.255
    """
    rows = {}
    for label in labels:
        difference, low, high = interval(first, second, label, clusters)
        values, questions = differences(first, second, label)
        spread = values.mean(axis=0).std(ddof=1)
        effect = difference / spread if spread else 0.0
        p = randomisation_test(cluster_sums(values, questions, clusters)[0].mean(axis=0))
        rows[label] = {"difference": difference, "low": low, "high": high, "effect": effect, "p": p}
    return pd.DataFrame.from_dict(rows, orient="index")


def randomisation_test(differences: NDArray[np.float64]) -> float:
    """Two-sided p of the mean of paired differences being 0, by flipping their signs RESAMPLES times.

    p = (1 + how often the mean is at least as far from 0 as observed) / (1 + RESAMPLES).
    Source: Smucker, Allan and Carterette, A comparison of statistical significance tests for information retrieval
    evaluation (CIKM 2007).

    Args:
        differences: [n].

    Returns:
        p, between 1 / (1 + RESAMPLES) and 1.

    Example:
        >>> randomisation_test(np.array([0.1, -0.1]))
        1.0
    """
    # a sum that is equal but for the order of its terms counts as reached
    reached = np.abs(_signs(len(differences)) @ differences) >= abs(differences.sum()) * (1 - 1e-9)
    return float((1 + reached.sum()) / (1 + RESAMPLES))


def against(
    tables: Mapping[str, Sequence[pd.DataFrame]],
    reference: str,
    labels: Sequence[str],
    clusters: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The reference strategy compared with every other, with p corrected for all comparisons.

    Args:
        tables: strategy -> `question_values` of its runs, as for `interval`.
        reference: one of the strategies.
        labels: of the measures.
        clusters: as for `interval`.

    Returns:
        A row an other strategy and label: measure (the label), those of `compare`, against, p_holm (see `holm`).

    Raises:
        ValueError: the runs do not match.
    """
    parts = [
        compare(tables[reference], tables[other], labels, clusters).assign(against=other)
        for other in tables
        if other != reference
    ]
    table = pd.concat(parts).rename_axis("measure").reset_index()
    return table.assign(p_holm=holm(table["p"].to_numpy()))


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values adjusted for their number, so that the chance of any false rejection stays below the level.

    With p_(1) <= ... <= p_(m), the i-th becomes max over j <= i of (m - j + 1) p_(j), at most 1.
    Source: Holm, A simple sequentially rejective multiple test procedure (Scand. J. Stat. 1979).

    Args:
        p_values: [m].

    Returns:
        [m], in the order given.

    Example:
        >>> holm(np.array([0.04, 0.01, 0.03])).tolist()
        [0.06, 0.03, 0.06]
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1)
    return adjusted


def differences(
    first: Sequence[pd.DataFrame], second: Sequence[pd.DataFrame], label: str
) -> tuple[NDArray[np.float64], pd.Index[str]]:
    """first - second, [seeds, questions], and which questions; a single run stands for every seed.

    Raises:
        ValueError: the runs do not match.
    """
    a, b = (pd.concat([run[label] for run in runs], axis=1).sort_index() for runs in (first, second))
    if not a.index.equals(b.index) or a.isna().to_numpy().any() or b.isna().to_numpy().any():
        raise ValueError("the runs were not evaluated on the same questions: evaluate them on one benchmark")
    if len(first) != len(second) and 1 not in (len(first), len(second)):
        raise ValueError(
            f"{len(first)} runs cannot be paired with {len(second)}: train both on the same seeds"
        )
    return a.to_numpy().T - b.to_numpy().T, a.index


def cluster_sums(
    values: NDArray[np.float64], questions: pd.Index[str], clusters: Mapping[str, str] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[seeds, clusters]: the values of each cluster's questions added up, and [clusters]: how many they are."""
    if clusters is None:
        return values, np.ones(values.shape[1])
    # a question by itself is named by a pair, which no cluster is
    named = [clusters.get(str(question), ("", question)) for question in questions]
    number = pd.factorize(pd.Series(named, dtype=object))[0]
    sums = np.stack([np.bincount(number, of_seed) for of_seed in values]).astype(np.float64)
    return sums, np.bincount(number).astype(np.float64)


@lru_cache(maxsize=4)
def _signs(size: int) -> NDArray[np.float64]:
    """Random signs [RESAMPLES, size], the same for every test of as many questions."""
    return np.random.default_rng(size).choice([-1.0, 1.0], (RESAMPLES, size))
