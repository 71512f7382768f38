"""Verdicts to be read: as a Markdown table with the evidence, and as text for the screen."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from hybridnb.measures.catalogue import MEASURES, Measure
from hybridnb.report.claims.deciding import EQUIVALENT, HELD, REFUTED, UNDECIDED

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
        verdicts: of `deciding.verdicts`, of one benchmark.

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
    difference = measure.with_interval(row["difference"], row["low"], row["high"])
    found = f"; finds {measure.format(row['resolved'])} or more" if row["verdict"] == UNDECIDED else ""
    p = "p < 0.0001" if row["p_holm"] < 0.0001 else f"p {row['p_holm']:.4f}"
    return f"{difference}, {p}, {row['seeds']} seeds{found}"


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """`deciding.verdicts` for the screen, as far as there are estimates; numbers with the digits of their measures.

    Returns:
        Index (hypothesis, measure); benchmark, difference with its interval, p (Holm), smallest of interest, resolved,
        seeds, verdict.
    """
    counted = table[table["difference"].notna()]

    def shown(column: str) -> list[str]:
        return [
            "" if pd.isna(value) else MEASURES[label].format(value)
            for label, value in zip(counted["measure"], counted[column], strict=True)
        ]

    columns = ("measure", "difference", "low", "high")
    ends = zip(*(counted[column] for column in columns), strict=True)
    text = pd.DataFrame(
        {
            "hypothesis": counted["hypothesis"].to_numpy(),
            "measure": counted["measure"].to_numpy(),
            "benchmark": counted["benchmark"].to_numpy(),
            "difference": [MEASURES[label].with_interval(*numbers) for label, *numbers in ends],
            "p (Holm)": counted["p_holm"].map("{:.4f}".format).to_numpy(),
            "smallest of interest": shown("margin"),
            "resolved": shown("resolved"),
            "seeds": counted["seeds"].to_numpy(),
            "verdict": counted["verdict"].to_numpy(),
        }
    )
    return text.set_index(["hypothesis", "measure"])
