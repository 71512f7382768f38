"""Studies on one's own data: how it is split, what is fitted to it, which strategies it can serve."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import TEMPLATES

from hybridnb import corpora
from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.study.data import batches, training_data
from hybridnb.study.own import Own, on_own_data, split
from hybridnb.study.plan import planned
from hybridnb.training.data import validation_batches

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {"encoder.model": "small", "encoder.layers": 1, "encoder.hidden": 16, "encoder.heads": 2}


def items(languages: Sequence[Sequence[str]], of_document: int = 1) -> list[Item]:
    """An item for each tuple of languages."""
    return [
        Item(
            f"{n}",
            "toy",
            f"d{n // of_document}",
            {code: TEMPLATES[code][0].format(f"n{n}") for code in codes},
            {code: TEMPLATES[code][1].format(f"n{n}") for code in codes},
        )
        for n, codes in enumerate(languages)
    ]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Own]:
    """The study of items in these languages, with a toy encoder."""
    for module in ("own", "plan"):
        monkeypatch.setattr(f"hybridnb.study.{module}.RUNS", tmp_path / "runs")

    def study(languages: Sequence[Sequence[str]], asked: Mapping[str, Any] | None = None) -> Own:
        rows = [{"id": i.id, "src": "toy", "q": i.queries, "p": i.passages} for i in items(languages)]
        file = tmp_path / "faq.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return on_own_data("quick", str(file), {**SMALL, **(asked or {})})

    return study


ALL = ("de", "en", "es")


@given(
    sizes=st.lists(st.integers(1, 9), min_size=3, max_size=30),
    tested=st.sampled_from([None, 0.2, 0.5]),
    held_out=st.sampled_from([None, 0.05, 0.3]),
    turned=st.booleans(),
)
def test_every_document_is_in_one_part_and_parts_have_their_sizes(
    sizes: list[int], tested: float | None, held_out: float | None, turned: bool
) -> None:
    texts = [(f"{d}.{n}", f"d{d}") for d, size in enumerate(sizes) for n in range(size)]
    every = [Item(name, "s", document, {"en": name}, {"en": name}) for name, document in texts]
    parts, fitted = split(ParallelCorpus("toy", every), tested, held_out)
    assert sorted(i.id for part in parts.values() for i in part.items) == sorted(i.id for i in every)
    documents = [{item.document for item in part.items} for part in parts.values()]
    assert all(documents) and sum(map(len, documents)) == len(sizes)
    assert set(fitted) == {
        name for name, value in (("corpus.tested", tested), ("corpus.held_out", held_out)) if value is None
    }
    if len(sizes) > 10:  # what fills the last empty part is no choice
        for name, fraction in (("test", tested or 0.3), ("validation", held_out or 0.1)):
            assert abs(len(parts[name]) - fraction * len(every)) <= max(sizes)
    # the order of the rows does not matter
    again, _ = split(ParallelCorpus("toy", every[::-1] if turned else every), tested, held_out)
    assert {i.id for i in again["test"].items} == {i.id for i in parts["test"].items}


def test_large_data_is_mostly_trained_on() -> None:
    parts, _ = split(ParallelCorpus("toy", items([("en",)] * 5_000)))
    assert [len(part) for part in parts.values()] == [4_250, 250, 500]


def test_too_few_documents_are_named() -> None:
    corpus = ParallelCorpus("toy", items([ALL] * 40, of_document=20))
    with pytest.raises(
        ValueError, match=r"2 documents for its 40 items.* its doc, or its id up to the last #"
    ):
        split(corpus)
    with pytest.raises(ValueError, match="nothing is left"):
        split(corpus, 0.5, 0.5)


def test_the_parts_are_files_and_the_test_part_is_the_benchmark(study: Callable[..., Own]) -> None:
    own = study([ALL] * 60)
    chosen = own.study
    assert chosen.name == "faq-small-layers=1-hidden=16-heads=2"
    train, held_out = training_data(chosen)
    assert list(train.items) == list(own.parts["train"].items)
    assert list(held_out.items) == list(own.parts["validation"].items)
    benchmark = corpora.load_benchmark(chosen.benchmarks[0])
    assert set(benchmark.relevance) == {item.id for item in own.parts["test"].items}
    assert benchmark.name == corpora.benchmark_name(chosen.benchmarks[0]) == "faq.test"
    assert chosen.strategies == ("X-X-mono", "X-Y", "hybrid(0.5)") and not own.left_out
    assert chosen.training.draws == "paired"
    # whole turns of the languages; every strategy fills a batch twice
    assert chosen.training.steps % 6 == 0
    assert 2 * chosen.training.batch_size <= len(train)
    for run in planned(chosen):
        batches(chosen, train, run.strategy, run.seed)
    kinds = validation_batches(held_out, chosen.training, chosen.languages)
    assert set(kinds) == {"mono", "cross"} and all(data.batch(0) for data in kinds.values())
    said = str(own)
    assert str(chosen.training.steps) in said and "train" in said
    # again is the same study
    assert study([ALL] * 60).study == chosen


def test_what_is_set_wins(study: Callable[..., Own]) -> None:
    asked = {
        "training.steps": 5,
        "training.batch_size": 4,
        "corpus.tested": 0.5,
        "name": "mine",
        "seeds": [1, 2],
    }
    own = study([ALL] * 40, asked)
    assert (own.study.training.steps, own.study.training.batch_size) == (5, 4)
    assert own.study.training.evaluate_every == 1
    assert len(own.parts["test"]) == 20
    assert (own.study.name, own.study.seeds) == ("mine", (1, 2))
    assert not set(own.fitted) & set(asked)
    assert own.study.training.learning_rate == 2e-3


def test_validation_can_be_another_corpus(study: Callable[..., Own], tmp_path: Path) -> None:
    few = study([ALL] * 30, {"name": "few"})
    own = study([ALL] * 40, {"name": "mine", "corpus.validation": few.study.corpus.validation})
    assert training_data(own.study)[1].sha256 == few.parts["validation"].sha256
    assert own.study.training.validation_batch_size == len(few.parts["validation"]) == 3


def test_a_language_can_be_left_out_of_training(study: Callable[..., Own]) -> None:
    own = study([ALL] * 40, {"languages": ["de", "en"]})
    assert own.study.languages == ("de", "en")
    assert "es" in own.parts["test"].languages
    with pytest.raises(ValueError, match="no language 'th'"):
        study([ALL] * 40, {"languages": ["th"], "name": "other"})


@pytest.mark.parametrize(
    ("languages", "served", "why"),
    [
        ([("de",)] * 60, ("X-X-mono",), "two different languages"),
        ([("de",), ("en",)] * 40, ("X-X-mono",), "two different languages"),
        ([("de", "en")] * 60 + [ALL] * 4, ("X-Y",), "'es'"),
    ],
)
def test_what_the_data_cannot_serve_is_left_out_and_said(
    study: Callable[..., Own], languages: Sequence[Sequence[str]], served: Sequence[str], why: str
) -> None:
    own = study(languages)
    assert own.study.strategies == served
    assert set(own.left_out) == {"X-X-mono", "X-Y", "hybrid(0.5)"} - {*served}
    assert all(why in reason for reason in own.left_out.values())
    assert all(f"Left out: {', '.join(own.left_out)}: {why}" in str(own) for why in own.left_out.values())
    assert ('To train without es: --set \'languages=["de", "en"]\'' in str(own)) == (ALL in languages)
    _, held_out = training_data(own.study)
    assert validation_batches(held_out, own.study.training, None)["mono"].batch(0)


def test_data_that_serves_nothing_is_refused_before_anything_is_written(
    study: Callable[..., Own], tmp_path: Path
) -> None:
    with pytest.raises(
        ValueError, match=r"can serve none of the strategies: X-X-mono, hybrid\(0\.5\): .*; X-Y: .*"
    ):
        study([("de",), ("en",), ("es",)] * 4)
    with pytest.raises(ValueError, match=r"training\.steps is 'many'"):
        study([ALL] * 40, {"training.steps": "many"})
    with pytest.raises(ValueError, match="name is 5"):
        study([ALL] * 40, {"name": 5})
    with pytest.raises(ValueError, match=r"corpus\.tested is 2"):
        study([ALL] * 40, {"corpus.tested": 2})
    assert not (tmp_path / "runs").exists()


def test_other_data_does_not_take_the_name(study: Callable[..., Own]) -> None:
    before = study([ALL] * 40, {"name": "mine"})
    kept = Path(before.study.benchmarks[0]).read_bytes()
    with pytest.raises(ValueError, match="other data: give this study another name, --set name=NEW"):
        study([ALL] * 50, {"name": "mine"})
    assert Path(before.study.benchmarks[0]).read_bytes() == kept
