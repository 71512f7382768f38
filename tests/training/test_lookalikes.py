"""Items of which the encoder reads the same never meet in a batch."""

from __future__ import annotations

import numpy as np
import pytest
from toy import NAMES, toy_encoder

from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.training.batching import BatchSampler
from hybridnb.training.lookalikes import groups_as_read
from hybridnb.training.settings import TrainingSettings
from hybridnb.training.strategies import Strategy

HEADING = "bana kulo mire tosa delu fape "


def corpus(queries: dict[int, str] | None = None, passages: dict[int, str] | None = None) -> ParallelCorpus:
    """Twelve items in two languages; the German text of some is given."""
    items = []
    for n, name in enumerate(NAMES[:12]):
        query, passage = ({"de": f"{side} {name}", "en": f"{side} {name} en"} for side in ("wo", "da"))
        items.append(
            Item(
                f"i{n}",
                "s",
                f"i{n}",
                {**query, "de": (queries or {}).get(n, query["de"])},
                {**passage, "de": (passages or {}).get(n, passage["de"])},
            )
        )
    return ParallelCorpus("c", items)


def together(groups: np.ndarray) -> list[set[int]]:
    return sorted((set(np.flatnonzero(groups == g).tolist()) for g in set(groups.tolist())), key=min)


@pytest.mark.parametrize("side", ["queries", "passages"])
def test_texts_cut_to_the_same_tokens_join_their_items(side: str) -> None:
    encoder = toy_encoder()
    given = corpus(**{side: {2: HEADING + "gori", 5: HEADING + "hune jalo", 7: "bana kulo mire"}})
    name = {"queries": "query", "passages": "passage"}[side]
    cut = len(encoder.token_ids([HEADING.strip()], name)[0]) - 1
    settings = TrainingSettings(**{f"max_{name}_length": cut})
    groups = groups_as_read(given, encoder, settings)
    assert [group for group in together(groups) if len(group) > 1] == [{2, 5}]
    sampler = BatchSampler(given, Strategy("X-Y"), batch_size=11, seed=0, groups=groups)
    for step in range(20):
        assert not {2, 5} <= {pair.item for pair in sampler.batch(step)}


def test_what_is_not_cut_or_not_trained_on_joins_nothing() -> None:
    encoder = toy_encoder()
    given = corpus(passages={2: HEADING + "gori", 5: HEADING + "hune jalo"})
    assert groups_as_read(given, encoder, TrainingSettings()) is given.index.groups
    cut = TrainingSettings(max_passage_length=8)
    assert len(together(groups_as_read(given, encoder, cut))) == 11
    assert groups_as_read(given, encoder, cut, ["en"]) is given.index.groups


def test_groups_are_joined_through_each_other() -> None:
    """2 and 5 begin alike, 5 and 7 share a passage, 7 and 9 ask alike."""
    encoder = toy_encoder()
    given = corpus(
        passages={2: HEADING + "gori", 5: HEADING + "hune", 7: HEADING + "hune"},
        queries={7: HEADING + "x", 9: HEADING + "y"},
    )
    settings = TrainingSettings(max_passage_length=8, max_query_length=8)
    assert [group for group in together(groups_as_read(given, encoder, settings)) if len(group) > 1] == [
        {2, 5, 7, 9}
    ]


def test_a_corpus_on_disk_is_left_as_it_is() -> None:
    given = corpus(passages={2: HEADING + "gori", 5: HEADING + "hune jalo"})
    lazy = ParallelCorpus("lazy", tuple(given.items), index=given.index)
    assert groups_as_read(lazy, toy_encoder(), TrainingSettings(max_passage_length=8)) is given.index.groups


def test_a_length_that_leaves_no_text_is_told_as_such() -> None:
    with pytest.raises(ValueError, match="max_query_length is 2"):
        groups_as_read(corpus(), toy_encoder(), TrainingSettings(max_query_length=2))
