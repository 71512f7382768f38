"""What is in a corpus, as it is counted."""

from __future__ import annotations

import numpy as np
from toy import HELD_OUT

from hybridnb.corpora import describe
from hybridnb.report.figures.data import coverage, lengths


def test_what_is_in_a_corpus() -> None:
    pairs = describe.language_pairs(HELD_OUT)
    drawn = coverage(pairs, "title").axes[0].collections[0].get_array()
    assert np.asarray(drawn).reshape(3, 3).tolist() == [[8] * 3] * 3
    panels = lengths(describe.lengths(HELD_OUT)).axes
    assert [axes.get_title() for axes in panels] == ["queries", "passages"]
    assert all(axes.get_ylim()[0] == 0 for axes in panels)
