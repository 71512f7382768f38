"""ParallelCorpus: splits, selections and the groups that may not meet."""

from __future__ import annotations

import hashlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridnb.corpora.parallel import CorpusIndex, Item, ParallelCorpus, normalised


def item(number: int, **changes: str) -> Item:
    return Item(f"d{number}#0", "s", f"d{number}", {"en": f"q{number}"}, {"en": f"p{number}"})


CORPUS = ParallelCorpus("toy", [item(n) for n in range(400)])


def test_split_is_by_hash_of_seed_and_document() -> None:
    for seed in (0, 1):
        expected = [
            int(hashlib.sha256(f"{seed}\td{n}".encode()).hexdigest()[:16], 16) < 0.25 * 2**64
            for n in range(400)
        ]
        training, validation = CORPUS.split(0.25, seed)
        assert [i.document for i in validation.items] == [f"d{n}" for n in range(400) if expected[n]]
        assert [i.document for i in training.items] == [f"d{n}" for n in range(400) if not expected[n]]
        assert (training.name, validation.name) == ("toy:train", "toy:validation")


def test_another_seed_draws_other_documents() -> None:
    drawn = [{i.id for i in CORPUS.split(0.25, seed)[1].items} for seed in range(3)]
    assert drawn[0] != drawn[1] != drawn[2]
    assert CORPUS.split(0.25)[1].sha256 == CORPUS.split(0.25, seed=0)[1].sha256


def test_a_smaller_fraction_is_part_of_a_larger_one_and_new_documents_move_none() -> None:
    larger = {i.id for i in CORPUS.split(0.3)[1].items}
    assert {i.id for i in CORPUS.split(0.1)[1].items} < larger
    fewer = CORPUS.select(range(0, 400, 2))
    assert {i.id for i in fewer.split(0.3)[1].items} == larger & {i.id for i in fewer.items}


def test_documents_stay_together() -> None:
    items = [
        Item(f"{d}#{n}", "s", f"{d}", {"en": f"{d}{n}"}, {"en": f"{d}{n}."}) for d in range(40) for n in "ab"
    ]
    training, validation = ParallelCorpus("toy", items).split(0.5)
    assert not {i.document for i in training.items} & {i.document for i in validation.items}
    assert len(training) + len(validation) == 80


def test_too_few_documents_to_split() -> None:
    with pytest.raises(ValueError, match="'toy' has 1 documents, too few to hold out 10%"):
        CORPUS.select([0]).split(0.1)
    for fraction in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match="it must be a fraction between 0 and 1"):
            CORPUS.split(fraction)


def test_languages_and_sources_that_are_kept() -> None:
    items = [
        Item("1", "a", "1", {"en": "q", "de": "f"}, {"en": "p", "de": "a"}),
        Item("2", "b", "2", {"en": "q2"}, {"en": "p2"}),
        Item("3", "b", "3", {"de": "f3"}, {"en": "p3"}),
    ]
    corpus = ParallelCorpus("toy", items)
    assert [dict(i.passages) for i in corpus.in_languages(["de"]).items] == [{"de": "a"}]
    assert [i.id for i in corpus.without_sources(["b"]).items] == ["1"]
    with pytest.raises(ValueError, match="toy has no language 'fr'; it has de, en"):
        corpus.in_languages(["de", "fr"])
    with pytest.raises(ValueError, match="toy has no source 'c'; it has a, b"):
        corpus.without_sources(["c"])
    with pytest.raises(ValueError, match="has no items"):
        corpus.without_sources(["a", "b"])


TEXTS = ["Usage", "usage", "Us age", " Us\u00a0\nage", "caf\u00e9", "cafe\u0301"]
texts = st.dictionaries(st.sampled_from(["de", "en"]), st.sampled_from(TEXTS), min_size=1)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
def test_items_of_one_group_are_linked_by_equal_texts(
    pairs: list[tuple[dict[str, str], dict[str, str]]],
) -> None:
    """Against components found by merging sets."""
    items = [Item(str(n), "s", str(n), queries, passages) for n, (queries, passages) in enumerate(pairs)]
    merged: list[set[object]] = []
    for item in items:
        nodes: set[object] = {item.id}
        for part, by_language in (("q", item.queries), ("p", item.passages)):
            nodes |= {(part, *unicodedata.normalize("NFC", text).split()) for text in by_language.values()}
        merged, touching = [m for m in merged if not m & nodes], [m for m in merged if m & nodes]
        merged.append(nodes.union(*touching))
    groups = CorpusIndex.of(items).groups.tolist()
    for one in items:
        for other in items:
            together = any(one.id in m and other.id in m for m in merged)
            assert (groups[int(one.id)] == groups[int(other.id)]) == together


def test_a_heading_that_many_documents_have_is_one_group() -> None:
    items = [Item(f"{n}", "s", f"{n}", {"en": "Installation"}, {"en": f"text {n}"}) for n in range(5)]
    assert set(CorpusIndex.of(items).groups.tolist()) == {0}
    assert normalised("a \n b\u3000c") == "a b c"


def test_what_the_encoder_sees_may_be_less() -> None:
    items = [Item(f"{n}", "s", f"{n}", {"en": f"q{n}"}, {"en": f"same beginning {n}"}) for n in range(3)]
    assert len(set(CorpusIndex.of(items).groups.tolist())) == 3
    assert len(set(CorpusIndex.of(items, passage_key=lambda text: text[:8]).groups.tolist())) == 1
    assert len(set(CorpusIndex.of(items, query_key=lambda text: text[:1]).groups.tolist())) == 1
