"""Strategies by name: written, read, told apart."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from toy import TOY

from hybridnb.corpora.parallel import Item, ParallelCorpus
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


OWN = """
import numpy as np
from hybridnb.training.strategies import STRATEGIES, Recipe

def two_languages(step, languages, offered, random):
    query, passage = random.choice(len(languages), 2, replace=False)
    return np.full(len(offered), query), np.full(len(offered), passage)

STRATEGIES.register("two", Recipe("all queries in one language, all passages in another", 0, two_languages))
STRATEGIES.register("or-two", Recipe("X-X-mono with probability alpha, else two", None, two_languages))
"""


def test_a_strategy_is_a_function_in_a_file_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(STRATEGIES, "_entries", dict(STRATEGIES))
    (tmp_path / "my_strategies.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("my_strategies")
    for text, languages_of_a_batch in (("two", {2}), ("or-two(0.5)", {1, 2})):
        samplers = [
            BatchSampler(TOY, Strategy.parse(text), batch_size=4, seed=seed, languages=["de", "es", "en"])
            for seed in (0, 0, 1)
        ]
        first, same, other = ([sampler.batch(step) for step in range(80)] for sampler in samplers)
        assert first == same != other
        assert first[17] == BatchSampler(TOY, Strategy.parse(text), batch_size=4, seed=0).batch(17)
        sides = [({pair[1] for pair in batch}, {pair[2] for pair in batch}) for batch in first]
        assert all(len(query) == len(passage) == 1 for query, passage in sides)
        assert {len(query | passage) for query, passage in sides} == languages_of_a_batch
        assert len({(*query, *passage) for query, passage in sides if query != passage}) == 6
    with pytest.raises(ValueError, match=r"two pairs languages by a function.*draw independently"):
        BatchSampler(TOY, Strategy("two"), batch_size=4, seed=0, draws="paired")


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (
            ([0, 0], [1, 1]),
            r"own gave \[0, 0\] in step 3: return the numbers of the languages, 0 to 1, of 3 queries",
        ),
        (([0, 0, 0], [1, 1, 2]), r"own gave \[1, 1, 2\] in step 3"),
        (([0, 0, 0], [1, 1, -1]), r"own gave \[1, 1, -1\] in step 3"),
        (([0.5, 0, 0], [1, 1, 1]), r"own gave \[0.5, 0.0, 0.0\] in step 3"),
        (([0, 1, 0], [0, 0, 1]), "own reads item 2 of step 3 in de>en, which the item does not have"),
    ],
)
def test_what_a_function_draws_must_be_offered(
    drawn: tuple[list[float], list[float]], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        STRATEGIES, "_entries", {"own": Recipe("", 0, lambda *_: (np.array(drawn[0]), np.array(drawn[1])))}
    )
    # no item has an English passage
    items = [Item(f"{n}", "s", f"{n}", {"de": f"{n}?", "en": f"{n}?!"}, {"de": f"{n}."}) for n in range(6)]
    corpus = ParallelCorpus("some", [*items, Item("x", "s", "x", {}, {"en": "x"})])
    sampler = BatchSampler(corpus, Strategy("own"), batch_size=3, seed=0)
    with pytest.raises(ValueError, match=message):
        sampler.batch(3)


@pytest.mark.parametrize(
    ("text", "alpha"), [("hybrid(0.25)", 0.25), ("X-Y", 0.0), ("X-X-mono", 1.0), ("X-X", None)]
)
def test_where_a_strategy_stands_on_the_axis_of_alpha(text: str, alpha: float | None) -> None:
    assert Strategy.parse(text).alpha_equivalent == alpha
