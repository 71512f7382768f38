"""What a run is made from: shares of the data, how it is read."""

from __future__ import annotations

from typing import Any

import pytest

from hybridnb.study.data import training_data
from hybridnb.study.settings import Study

pytestmark = pytest.mark.usefixtures("one_thread")


def changed(settings: Any, **values: Any) -> Any:
    return settings.model_copy(update=values)


def test_a_share_of_the_data_is_of_training_documents_alone(study: Study) -> None:
    (whole, held_out), (half, same) = (training_data(study.with_fraction(s)) for s in (1, 0.5))
    assert same.sha256 == held_out.sha256
    ids = {item.id for item in whole.items}
    assert 0 < len(half) < len(whole) and {item.id for item in half.items} < ids


def test_reading_options_reach_the_reader(study: Study) -> None:
    with pytest.raises(ValueError, match="has no items"):
        training_data(changed(study, corpus=changed(study.corpus, exclude_sources=("toy",))))
