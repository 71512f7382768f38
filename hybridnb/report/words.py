"""Verdicts as a table to read: what was claimed, what the runs say, and on what evidence."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from hybridnb.measures.catalogue import MEASURES, Measure
from hybridnb.report.claims import EQUIVALENT, HELD, REFUTED, UNDECIDED

MARKS = {
    HELD: "**\N{CHECK MARK}\N{NO-BREAK SPACE}held**",
    REFUTED: "**\N{BALLOT X}\N{NO-BREAK SPACE}refuted**",
    EQUIVALENT: "\N{ALMOST EQUAL TO}\N{NO-BREAK SPACE}equivalent",
    UNDECIDED: "?\N{NO-BREAK SPACE}undecided",
}
"""How a verdict is set apart, with a sign for who does not see the type."""


def verdict_table(verdicts: pd.DataFrame) -> str:
    """Claims, verdicts and evidence as a Markdown table, aligned to the left.

    Args:
        verdicts: of `claims.verdicts`, of one benchmark.

    Returns:
        A row a claim; the evidence is the difference with its 95 % interval, the corrected p and the number of seeds;
        where it is undecided, also the smallest difference that so many find four times out of five.

    Example:
        >>> row = {"hypothesis": "X-Y is better than X-X-mono", "measure": "Cr mAP", "difference": 0.0161, "low": 0.011}
        >>> row |= {"high": 0.021, "p_holm": 0.001, "seeds": 4, "margin": 0.01, "resolved": 0.007, "verdict": "held"}
        >>> print(verdict_table(pd.DataFrame([row])).splitlines()[-1].replace(chr(160), " "))
        | Cr mAP: X-Y is better than X-X-mono | **✓ held** | +0.016 [+0.011, +0.021], p 0.0010, 4 seeds |
    """
    lines = ["| claim | verdict | evidence |", "| :--- | :--- | :--- |"]
    for row in verdicts.to_dict("records"):
        label = str(row["measure"])
        claim = f"{label}: {row['hypothesis']}"
        verdict = MARKS.get(row["verdict"], f"*{row['verdict']}*")
        lines.append(f"| {claim} | {verdict} | {_evidence(row, MEASURES[label])} |")
    return "\n".join(lines)


def _evidence(row: Mapping[Hashable, Any], measure: Measure) -> str:
    if pd.isna(row["difference"]):
        return ""
    difference, low, high = (measure.format(row[name], "+") for name in ("difference", "low", "high"))
    found = f"; finds {measure.format(row['resolved'])} or more" if row["verdict"] == UNDECIDED else ""
    p = "p < 0.0001" if row["p_holm"] < 0.0001 else f"p {row['p_holm']:.4f}"
    return f"{difference} [{low}, {high}], {p}, {row['seeds']} seeds{found}"
