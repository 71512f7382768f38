"""Numbers as text."""

from __future__ import annotations

import pandas as pd

from hybridnb.report.tables import text


def test_tests_as_text() -> None:
    row = {
        "against": "X-Y",
        "difference": 0.0123,
        "low": -0.001,
        "high": 0.03,
        "effect": 0.5,
        "p_holm": 0.04,
    }
    ranks = {"difference": -120.4, "low": -150.0, "high": -80.2, "effect": -1.0, "p_holm": 0.0002}
    compared = pd.DataFrame([row | {"measure": "Mo mAP"}, row | ranks | {"measure": "rank distance"}])
    shown = text.tests_table(compared)
    assert shown.index.tolist() == ["X-Y", "X-Y"]
    assert shown.to_numpy().tolist() == [
        ["Mo mAP", "+0.012", "[-0.001, +0.030]", "+0.50", "0.0400"],
        ["rank distance", "-120", "[-150, -80]", "-1.00", "0.0002"],
    ]
