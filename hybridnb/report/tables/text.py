"""Numbers as text with the digits of their measures, and tables of text as what is asked for: Markdown, LaTeX, HTML."""

from __future__ import annotations

from html import escape
from typing import Literal

import pandas as pd

from hybridnb.measures.catalogue import MEASURES

Format = Literal["text", "markdown", "latex", "csv"]


def as_text(values: pd.DataFrame, more: int = 0) -> pd.DataFrame:
    """Values as text with the digits of their measures; nothing where there is no value.

    Args:
        values: columns are labels of `MEASURES`, or tuples that begin with one.
        more: decimals beyond `Measure.digits`.
    """

    def text(column: pd.Series[float]) -> pd.Series[str]:
        label = column.name[0] if isinstance(column.name, tuple) else column.name
        digits = MEASURES[str(label)].digits + more
        return column.map(f"{{:.{digits}f}}".format, na_action="ignore").fillna("")

    return values.apply(text)


def tests_table(compared: pd.DataFrame) -> pd.DataFrame:
    """`significance.against` as text: difference, its interval, effect and corrected p."""
    measures = [MEASURES[label] for label in compared["measure"]]

    def text(column: str) -> list[str]:
        return [measure.format(v, "+") for measure, v in zip(measures, compared[column], strict=True)]

    intervals = [f"[{low}, {high}]" for low, high in zip(text("low"), text("high"), strict=True)]
    return pd.DataFrame(
        {
            "against": compared["against"],
            "measure": compared["measure"],
            "difference": text("difference"),
            "95 % interval": intervals,
            "effect (d)": compared["effect"].map("{:+.2f}".format),
            "p (Holm)": compared["p_holm"].map("{:.4f}".format),
        }
    ).set_index("against")


def render(table: pd.DataFrame, form: Format) -> str:
    """A table of text, with its index, as what is asked for.

    Args:
        table: as `as_text` gives it.
        form: "text" for the screen, "markdown", "latex" (with the package booktabs) or "csv".

    Example:
        >>> print(render(pd.DataFrame({"Mo mAP": ["0.750"]}, pd.Index(["X_Y"], name="system")), "latex"))
        \\begin{tabular}{ll}
        \\toprule
        system & Mo mAP \\\\
        \\midrule
        X\\_Y & 0.750 \\\\
        \\bottomrule
        \\end{tabular}
        <BLANKLINE>
    """
    if form == "text":
        return table.to_string()
    columns = table.reset_index()
    if form == "markdown":
        # numbers as they were written, with the noughts at their end
        return columns.to_markdown(index=False, disable_numparse=True)
    if form == "latex":
        return columns.to_latex(index=False, escape=True)
    return columns.to_csv(index=False)


def as_html(table: pd.DataFrame) -> str:
    """A table of texts for a notebook: each cell begins on the side from which its script is read.

    Args:
        table: of texts, with one index.

    Example:
        >>> row = as_html(pd.DataFrame({"query": ["<Ana>?"]}, pd.Index(["de"], name="language"))).splitlines()[2]
        >>> row.split("</td>")[1]
        '<td dir="auto" style="text-align: start">&lt;Ana&gt;?'
    """
    aligned = 'style="text-align: start"'
    head = "".join(f"<th {aligned}>{escape(str(name))}</th>" for name in [table.index.name, *table.columns])
    rows = (
        "".join(f'<td dir="auto" {aligned}>{escape(str(text))}</td>' for text in row)
        for row in table.itertuples()
    )
    return "\n".join(["<table>", f"<tr>{head}</tr>", *(f"<tr>{row}</tr>" for row in rows), "</table>"])
