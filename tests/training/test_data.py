"""Rows, tensors and validation batches, as the Trainer is given them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from toy import HELD_OUT, NAMES, TOY, TOY_WITH_NEGATIVES

from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.training.batching import BatchSampler
from hybridnb.training.data import Ahead, Batch, StepDataset, validation_batches
from hybridnb.training.settings import TrainingSettings
from hybridnb.training.strategies import Strategy


@pytest.mark.parametrize("strategy", ["X-X-mono", "X-Y", "hybrid(0.5)"])
def test_rows_are_the_pairs_of_the_sampler_in_order(strategy: str) -> None:
    sampler = BatchSampler(TOY, Strategy.parse(strategy), batch_size=4, seed=0)
    rows = StepDataset(sampler, 5)
    expected = [
        (TOY[pair.item].queries[pair.query_language], TOY[pair.item].passages[pair.passage_language])
        for step in range(5)
        for pair in sampler.batch(step)
    ]
    assert len(rows) == len(expected) == 20
    assert [rows[i] for i in range(20)] == expected
    assert [rows[i] for i in (19, 0, 7)] == [expected[i] for i in (19, 0, 7)]


def test_hard_negatives_come_in_the_language_of_the_passage() -> None:
    sampler = BatchSampler(TOY_WITH_NEGATIVES, Strategy("X-Y"), batch_size=4, seed=0)
    rows = StepDataset(sampler, 3, hard_negatives=True)
    for row, pair in enumerate(sampler.batch(0)):
        assert rows[row][2] == f"{NAMES[-1 - pair.item]} not {pair.passage_language}"


def test_hard_negatives_of_a_corpus_without_them_are_an_error() -> None:
    sampler = BatchSampler(TOY, Strategy("X-Y"), batch_size=4, seed=0)
    with pytest.raises(ValueError, match=r"training\.hard_negatives is on, but corpus 'toy' has none"):
        StepDataset(sampler, 3, hard_negatives=True)


def test_validation_is_the_same_for_every_strategy_and_follows_the_languages() -> None:
    batches = validation_batches(HELD_OUT, TrainingSettings(batch_size=4, validation_batches=2), None)
    assert {kind: str(data.sampler.strategy) for kind, data in batches.items()} == {
        "mono": "X-X-mono",
        "cross": "X-Y",
    }
    english = validation_batches(HELD_OUT, TrainingSettings(batch_size=4, validation_batches=2), ["en", "fr"])
    assert list(english) == ["mono"]
    assert english["mono"].sampler.languages == ("en",)
    small = TrainingSettings(batch_size=8, validation_batches=2, validation_batch_size=2)
    assert len(validation_batches(HELD_OUT, small, None)["mono"]) == 4


def test_validation_leaves_out_what_the_corpus_does_not_offer() -> None:
    def only(item: Item, *codes: str) -> Item:
        return Item(
            item.id,
            "s",
            item.document,
            {c: item.queries[c] for c in codes},
            {c: item.passages[c] for c in codes},
        )

    settings = TrainingSettings(batch_size=2, validation_batches=4)
    mono = ParallelCorpus("mono", [only(item, ("de", "en")[n % 2]) for n, item in enumerate(HELD_OUT.items)])
    assert list(validation_batches(mono, settings, None)) == ["mono"]
    # one item is no batch
    rare = ParallelCorpus(
        "rare", [only(HELD_OUT[0], "de", "es"), *(only(i, "de", "en") for i in HELD_OUT.items[1:])]
    )
    batches = validation_batches(rare, settings, None)
    assert {kind: data.sampler.languages for kind, data in batches.items()} == {
        "mono": ("de", "en"),
        "cross": ("de", "en"),
    }


def test_a_batch_is_made_while_the_one_before_is_worked_on() -> None:
    made = threading.Semaphore(0)

    def batches() -> Iterator[Batch]:
        for number in range(3):
            yield {"number": number}
            made.release()

    ahead, drawn = Ahead(), batches()
    assert ahead.take(drawn) == {"number": 0}
    assert made.acquire(timeout=10)  # it went on past the first by itself
    ahead.wait()
    assert [ahead.take(drawn)["number"], ahead.take(drawn)["number"]] == [1, 2]
    with pytest.raises(StopIteration):
        ahead.take(drawn)


def test_what_goes_wrong_in_making_a_batch_is_raised_where_it_is_taken() -> None:
    def batches() -> Iterator[Batch]:
        yield {}
        raise ValueError("row 7 is no text")

    ahead, drawn = Ahead(), batches()
    assert ahead.take(drawn) == {}
    ahead.wait()
    with pytest.raises(ValueError, match="row 7"):
        ahead.take(drawn)
