"""What batches are made of: the same for all strategies under paired draws, and not under independent ones."""

from __future__ import annotations

from collections import Counter
from math import lcm
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.report import marginals
from hybridnb.report.marginals import ITEMS, KIND
from hybridnb.study.settings import Study
from hybridnb.training.batching import BatchSampler, Draws
from hybridnb.training.strategies import Strategy

CODES = ("ar", "de", "en", "hi", "th")
STRATEGIES = ("X-X-mono", "X-Y", "X-X", "hybrid(0.5)", "hybrid(0.25)")


def corpus(items: int, languages: int, partly: int = 0) -> ParallelCorpus:
    """Items in all of the languages from two sources, and some from a third that lack one."""

    def item(n: int, source: str, codes: tuple[str, ...]) -> Item:
        queries, passages = ({code: f"{code} {n}{mark}" for code in codes} for mark in "?.")
        return Item(str(n), source, str(n), queries, passages)

    whole = [item(n, f"s{n % 2}", CODES[:languages]) for n in range(items)]
    return ParallelCorpus(
        "toy", whole + [item(1000 + n, "s2", CODES[n % 2 : languages - 1 + n % 2]) for n in range(partly)]
    )


def samplers(of: ParallelCorpus, batch_size: int, seed: int, draws: Draws) -> dict[str, BatchSampler]:
    return {
        name: BatchSampler(of, Strategy.parse(name), batch_size=batch_size, seed=seed, draws=draws)
        for name in STRATEGIES
    }


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 5), st.integers(2, 6), st.integers(0, 2**20), st.integers(0, 9))
def test_paired_strategies_have_all_but_the_kind_in_common(
    languages: int, batch_size: int, seed: int, partly: int
) -> None:
    made = samplers(corpus(12, languages, partly), batch_size, seed, "paired")
    cycle = lcm(*(sampler._draws.cycle for sampler in made.values()))
    table = marginals.marginals(made, cycle)
    short = marginals.in_short(table)
    assert short["the same for all"].drop(KIND).eq("yes").all()
    for side in ("query language", "passage language"):
        assert table.loc[side].to_numpy() == pytest.approx(1 / languages)
    kinds = table.loc[KIND].loc["one language"]
    assert kinds["X-X-mono"] == 1 and kinds["X-Y"] == 0
    assert kinds["hybrid(0.5)"] == 0.5 and kinds["hybrid(0.25)"] == 0.25


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**20), st.integers(1, 30))
def test_at_any_step_paired_strategies_have_seen_the_same_items(seed: int, steps: int) -> None:
    table = marginals.marginals(samplers(corpus(20, 3, 5), 4, seed, "paired"), steps)
    assert marginals.in_short(table).loc[[ITEMS, "source"], "the same for all"].eq("yes").all()


def test_independent_draws_differ_in_all_of_it() -> None:
    table = marginals.marginals(samplers(corpus(40, 5, 40), 6, 0, "independent"), 30)
    short = marginals.in_short(table)
    assert short["the same for all"].eq("no").all()
    assert short.loc["source", "values"] == 3 and short.loc["query language", "largest difference"] > 0.02


def test_shares_are_counts_of_the_batches() -> None:
    (made,) = [samplers(corpus(30, 4, 9), 5, 3, "independent")["hybrid(0.5)"]]
    table = marginals.marginals({"it": made}, 12)["it"]
    pairs = [pair for step in range(12) for pair in made.batch(step)]
    for of, side in (("query language", 1), ("passage language", 2)):
        counts = Counter(pair[side] for pair in pairs)
        assert table[of].to_dict() == {code: count / 60 for code, count in counts.items()}
    assert table[ITEMS].tolist() == [len({pair.item for pair in pairs})]
    assert table["source"].sum() == pytest.approx(1) and table[KIND].sum() == pytest.approx(1)


def test_a_study_keeps_its_marginals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marginals, "RESULTS", tmp_path)
    study = Study.load("quick", {"name": "q", "training.steps": 22, "training.draws": "paired"})
    assert marginals.recorded(study) is None
    made = marginals.record(study)
    assert list(made) == list(study.strategies)
    pd.testing.assert_frame_equal(marginals.recorded(study), made)
    assert marginals.in_short(made).loc[ITEMS, "the same for all"] == "yes"
    (tmp_path / "q" / marginals.FILE).write_text("of,x\n1,2\n")
    with pytest.raises(ValueError, match=r"marginals\.csv is damaged \(.*run `hybridnb record q` again"):
        marginals.recorded(study)
