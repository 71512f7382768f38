"""Pictures of batches: what is drawn is what was drawn from the corpus."""

from __future__ import annotations

import numpy as np
import pytest
from toy import TOY

from hybridnb.report.figures import batches
from hybridnb.training.batching import BatchSampler, Pair
from hybridnb.training.strategies import Strategy

SAMPLERS = {
    name: BatchSampler(TOY, Strategy.parse(name), batch_size=4, seed=0)
    for name in ("X-X-mono", "X-Y", "hybrid(0.5)")
}


def test_languages_of_positives_and_negatives() -> None:
    table = batches.in_own_language(SAMPLERS, steps=60)
    assert table.loc["X-X-mono"].tolist() == [1, 1, 1]
    assert table.loc["X-Y", "own passage"] == 0 and 0 < table.loc["X-Y", "negatives"] < 0.5
    half = table.loc["hybrid(0.5)"]
    assert 0.3 < half["own passage"] < 0.7 and table.loc["X-Y", "negatives"] < half["negatives"] < 1
    counted = [
        one.query_language == other.passage_language
        for batch in map(SAMPLERS["X-Y"].batch, range(60))
        for one in batch
        for other in batch
        if one.item != other.item
    ]
    assert table.loc["X-Y", "negatives"] == pytest.approx(np.mean(counted))


def test_a_picture_has_a_panel_a_batch() -> None:
    drawn = {name: [sampler.batch(0), sampler.batch(1)] for name, sampler in SAMPLERS.items()}
    figure = batches.picture(drawn, most=3)
    assert [axes.get_title() for axes in figure.axes[:3]] == [f"{name}, batch 0" for name in SAMPLERS]
    for axes, name in zip(figure.axes[3:], SAMPLERS, strict=True):
        pairs = drawn[name][1][:3]
        assert [tick.get_text() for tick in axes.get_yticklabels()] == [pair.query_language for pair in pairs]
        assert [tick.get_text() for tick in axes.get_xticklabels()] == [
            pair.passage_language for pair in pairs
        ]
        shown = np.asarray(axes.collections[0].get_array()).reshape(3, 3)
        assert shown.tolist() == batches.relations(pairs).tolist()
    assert "hybrid(0.5), batch 1: queries in" in str(figure.get_label())


def test_scores_are_on_one_scale() -> None:
    pairs = [Pair(0, "de", "en"), Pair(1, "en", "de")]
    matrices = {"before": np.array([[0.1, 0.2], [0.3, 0.4]]), "after": np.array([[0.9, -0.2], [0.1, 0.8]])}
    figure = batches.scores(matrices, pairs)
    for axes, matrix in zip(figure.axes, matrices.values(), strict=False):
        drawn = axes.collections[0]
        assert np.asarray(drawn.get_array()).ravel().tolist() == matrix.ravel().tolist()
        assert drawn.get_clim() == (-0.2, 0.9)
    assert "before: own passages 0.25, others 0.25; after: own passages 0.85, others -0.05" in str(
        figure.get_label()
    )
