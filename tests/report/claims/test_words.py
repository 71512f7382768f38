"""Verdicts in a table to read."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridnb.report.claims.words import verdict_table

ROW = {
    "hypothesis": "X-Y is better than X-X-mono", "measure": "Cr mAP", "difference": 0.0161, "low": 0.011, "high": 0.021,
    "p_holm": 0.001, "seeds": 4, "margin": 0.01, "resolved": 0.007,
}  # fmt: skip


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_each_verdict_is_set_apart_and_has_its_evidence() -> None:
    rows = [{**ROW, "verdict": verdict} for verdict in ("held", "refuted", "equivalent", "undecided")]
    lacking = {**ROW, **dict.fromkeys(("difference", "low", "high", "p_holm", "resolved"), np.nan)}
    rows.append({**lacking, "seeds": pd.NA, "verdict": "no runs yet"})
    head, aligned, *lines = map(cells, verdict_table(pd.DataFrame(rows)).splitlines())
    assert head == ["claim", "verdict", "evidence"] and aligned == [":---"] * 3
    claims, verdicts, evidence = zip(*lines, strict=True)
    assert set(claims) == {"Cr mAP: X-Y is better than X-X-mono"}
    assert len(set(verdicts)) == 5 and [v.startswith("**") for v in verdicts] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert evidence[0] == "+0.016 [+0.011, +0.021], p 0.0010, 4 seeds"
    assert evidence[3] == f"{evidence[0]}; finds 0.007 or more" and evidence[4] == ""
    tiny = verdict_table(pd.DataFrame([{**ROW, "p_holm": 1e-9, "verdict": "held"}]))
    assert "p < 0.0001, 4 seeds" in tiny
