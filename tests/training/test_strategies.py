"""Strategies by name: written, read, told apart."""

from __future__ import annotations

import pytest
from toy import TOY

from hybridnb.training.batching import BatchSampler
from hybridnb.training.strategies import STRATEGIES, Recipe, Strategy, spellings


@pytest.mark.parametrize(
    ("name", "alpha", "message"),
    [
        ("hybrid", 1.5, r"alpha is 1.5.*\[0, 1\]"),
        ("hybrid", None, "alpha is None"),
        ("hybrid", "0.5", "alpha is '0.5'"),
        ("X-Y", 0.5, "X-Y takes none"),
        ("X-Z", None, "no strategy is named 'X-Z'. Did you mean 'X-Y'"),
    ],
)
def test_bad_strategies(name, alpha, message):
    with pytest.raises(ValueError, match=message):
        Strategy(name, alpha)


@pytest.mark.parametrize("alpha", [0, 0.5, 1, 0.1234567, 1e-9])
def test_a_strategy_is_written_and_read(alpha):
    strategy = Strategy("hybrid", alpha)
    assert Strategy.parse(str(strategy)) == strategy
    assert str(Strategy.parse("X-Y")) == "X-Y"
    assert str(Strategy.parse("hybrid(.5)")) == "hybrid(0.5)"
    with pytest.raises(ValueError, match=r"strategy is 'hybrid\(half\)'.*hybrid\(ALPHA\)"):
        Strategy.parse("hybrid(half)")


def test_a_strategy_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {
        **STRATEGIES,
        "half-en": Recipe("half of the batches English, half de-en", 0.5, languages=("de", "en")),
    }
    monkeypatch.setattr(STRATEGIES, "_entries", entries)
    sampler = BatchSampler(TOY, Strategy.parse("half-en"), batch_size=4, seed=0)
    batches = [sampler.batch(step) for step in range(40)]
    one_language = [len({code for pair in batch for code in pair[1:]}) == 1 for batch in batches]
    assert 8 < sum(one_language) < 32
    assert {code for batch in batches for pair in batch for code in pair[1:]} == {"de", "en"}
    assert {"half-en", "hybrid(ALPHA)"} < set(spellings())


@pytest.mark.parametrize(
    ("text", "alpha"), [("hybrid(0.25)", 0.25), ("X-Y", 0.0), ("X-X-mono", 1.0), ("X-X", None)]
)
def test_where_a_strategy_stands_on_the_axis_of_alpha(text: str, alpha: float | None) -> None:
    assert Strategy.parse(text).alpha_equivalent == alpha
