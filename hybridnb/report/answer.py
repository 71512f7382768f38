"""The answer to a study's question, computed: which batches to train with, and how biased the encoder is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from textwrap import fill

import pandas as pd

from hybridnb.corpora import benchmark_name
from hybridnb.measures import significance
from hybridnb.measures.catalogue import MAIN, MEASURES
from hybridnb.measures.significance import LEVEL
from hybridnb.report.tables import headline, language_bias
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED


@dataclass(frozen=True)
class Lead:
    """How far one strategy is ahead of another by a measure, in its better direction; with its 95 % interval."""

    label: str
    ahead: float
    low: float
    high: float
    p_holm: float

    @property
    def is_sure(self) -> bool:
        """Whether it is ahead by more than chance."""
        return self.p_holm < LEVEL and self.low > 0

    def __str__(self) -> str:
        ahead = MEASURES[self.label].with_interval(self.ahead, self.low, self.high)
        is_chance = self.p_holm >= LEVEL or self.low <= 0 <= self.high
        return f"{ahead}{' may be chance' if is_chance else ''}"


Leads = Mapping[tuple[str, str], Sequence[Lead]]
"""(one, other) -> by each measure, how far the one is ahead."""


def answer(runs: Sequence[Run], benchmark: str) -> list[str]:
    """Which strategy leads by which measure, whether by more than chance, and what it does to the language bias.

    Differences are tested over the questions of the benchmark (`significance.compare`), p is corrected for all of them.

    Args:
        runs: the main runs of a study, evaluated on the benchmark.
        benchmark: a name or path.

    Returns:
        Sentences, to be printed one below the other.
    """
    values: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        values.setdefault(run.strategy, []).append(run.question_values(benchmark))
    labels = [name for name in MAIN if all(name in table for part in values.values() for table in part)]
    questions = len(next(iter(values.values()))[0])
    name = benchmark_name(benchmark)
    if questions < 2:
        return [f"{name} has one question: nothing can be said of others."]
    trained = [strategy for strategy in values if strategy != NOT_TRAINED]
    scores = headline.scores(runs, benchmark)
    found = leads(values, labels)
    seeds = min((len(values[strategy]) for strategy in trained), default=1)
    about = (
        f"{seeds} seeds"
        if seeds > 1
        else "one seed: of these encoders; --seed 0 --seed 1 --seed 2 asks about the strategies"
    )
    means = headline.by_strategy(scores)
    differences = [
        *(_by_measure(label, means[label][trained], found) for label in labels if len(trained) > 1),
        *(_gained(strategy, found[strategy, NOT_TRAINED]) for strategy in trained if NOT_TRAINED in values),
    ]
    if differences:
        differences.insert(0, f"By {questions:,} questions of {name} and {about}; with 95 % intervals:")
    sentences = [advice(trained, found), *differences]
    return [
        *(fill(sentence, 110, subsequent_indent="  ", break_on_hyphens=False) for sentence in sentences),
        *_bias(runs, benchmark, scores),
    ]


def leads(values: Mapping[str, Sequence[pd.DataFrame]], labels: Sequence[str]) -> Leads:
    """How far each strategy is ahead of each other.

    Args:
        values: strategy -> `significance.question_values` of its runs.
        labels: of the measures.
    """
    pairs = list(permutations(values, 2))
    if not pairs or not labels:
        return dict.fromkeys(pairs, ())
    order = list(values)
    compared = {
        (one, other): significance.compare(values[one], values[other], labels)
        for one, other in pairs
        if order.index(one) < order.index(other)
    }
    p_holm = significance.holm(pd.concat(compared)["p"].to_numpy())
    found: dict[tuple[str, str], list[Lead]] = {pair: [] for pair in pairs}
    rows = ((pair, str(label), row) for pair, table in compared.items() for label, row in table.iterrows())
    for ((one, other), label, row), p in zip(rows, p_holm.tolist(), strict=True):
        ahead, low, high = row["difference"], row["low"], row["high"]
        forward, back = (label, ahead, low, high, p), (label, -ahead, -high, -low, p)
        if not MEASURES[label].higher_is_better:
            forward, back = back, forward
        found[one, other].append(Lead(*forward))
        found[other, one].append(Lead(*back))
    return found


def advice(trained: Sequence[str], found: Leads) -> str:
    """Which of the strategies to train with: those than which none is better in anything and worse in nothing.

    Args:
        trained: the strategies.
        found: of `leads`.

    Example:
        >>> ahead = [Lead("Mul mAP", 0.2, 0.1, 0.3, 0.001)]
        >>> behind = [Lead("Mul mAP", -0.2, -0.3, -0.1, 0.001)]
        >>> advice(["X-X-mono", "X-Y"], {("X-Y", "X-X-mono"): ahead, ("X-X-mono", "X-Y"): behind})
        'Train with X-Y: better than X-X-mono in Mul mAP, and worse in nothing, by more than chance.'
    """
    if len(trained) < 2:
        return (
            f"Train with {trained[0]}: it is the only strategy here." if trained else "Nothing was trained."
        )

    def better(one: str, other: str) -> list[str]:
        return [lead.label for lead in found[one, other] if lead.is_sure]

    def is_behind(one: str) -> bool:
        return any(better(other, one) and not better(one, other) for other in trained if other != one)

    best = [strategy for strategy in trained if not is_behind(strategy)]
    if len(best) == 1:
        others = [(other, better(best[0], other)) for other in trained if other != best[0]]
        than = "; ".join(f"than {other} in {', '.join(labels)}" for other, labels in others if labels)
        alike = [other for other, labels in others if not labels]
        note = f" ({' and '.join(alike)} cannot be told from it)" if alike else ""
        return f"Train with {best[0]}: better {than}, and worse in nothing, by more than chance{note}."
    own = {(one, other): labels for one, other in permutations(best, 2) if (labels := better(one, other))}
    names = f"{', '.join(best[:-1])} or {best[-1]}"
    if own:
        each = "; ".join(
            f"{one} is better than {other} in {', '.join(own[one, other])}" for one, other in own
        )
        return f"Train with {names}, by what you need: {each}."
    behind = [strategy for strategy in trained if strategy not in best]
    note = f"; {' and '.join(behind)} lost to one of them" if behind else ""
    return f"Undecided: between {names} no difference is more than chance on so many questions{note}."


def _by_measure(label: str, means: pd.Series[float], found: Leads) -> str:
    measure = MEASURES[label]
    order = means.sort_values(ascending=not measure.higher_is_better)
    first, *others = map(str, order.index)
    leads = {other: lead for other in others for lead in found[first, other] if lead.label == label}
    parts = [f"{other} {measure.format(order[other])} (behind by {lead})" for other, lead in leads.items()]
    return f"{label}: {', '.join([f'{first} {measure.format(order[first])}', *parts])}."


def _gained(strategy: str, leads: Sequence[Lead]) -> str:
    return f"{strategy} against {NOT_TRAINED} (+ is better): {'; '.join(f'{lead.label} {lead}' for lead in leads)}."


def _bias(runs: Sequence[Run], benchmark: str, scores: pd.DataFrame) -> list[str]:
    """How far apart a query's answers stand, and whose passages come first, before and after."""
    shares = language_bias.top_languages(runs, benchmark)
    languages = len(next(iter(shares.values())).columns)
    if languages < 2:
        return ["Language bias: none, for all candidates are in one language."]
    short = language_bias.bias_in_short(scores, runs[0].pool(benchmark), shares).dropna(
        axis="columns", how="all"
    )
    distance = (
        ", ranks between a query's best and worst placed answer and" if "rank distance" in short else ","
    )
    return [
        f"Language bias{distance} the share of its language among the first ten ({languages} languages):",
        short.round(1).to_string(),
    ]
