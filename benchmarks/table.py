"""The one table of `make bench`: python -m benchmarks.table DIRECTORY

Reads what pytest-benchmark (speed.json) and cpu_training.py (cpu_training.json) left there in one run, and writes
speed.csv, growth.csv, machine.json and the table in README.md of data/results/benchmarks/, and figures/benchmarks/.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullFormatter

from hybridnb.files import write_json, write_text
from hybridnb.places import RESULTS
from hybridnb.report.figures.look import COLOURS, INK, described, handle, legend, save, style

PLACE = RESULTS / "benchmarks"
BEGIN, END = "<!-- written by benchmarks/table.py -->", "<!-- to here -->"
COLUMNS = ["group", "library", "computes", "seconds", "ratio", "peak_mib", "peak_ratio"]


def measured(run: dict[str, Any]) -> pd.DataFrame:
    """A row for each measured thing: the fastest of its rounds."""
    rows = [
        {"group": one["group"], "seconds": one["stats"]["min"], **one["extra_info"]}
        for one in run["benchmarks"]
        if "library" in one["extra_info"]
    ]
    return pd.DataFrame(rows)


def trained(file: Path) -> pd.DataFrame:
    """Of a training step, ours and theirs, the median."""
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.is_file() else []
    return pd.DataFrame(
        {
            "group": f"a training step of multilingual-e5-small, 64 pairs, {row['precision']}",
            "library": "sentence-transformers" if row["way"].startswith("Multiple") else "hybridnb",
            "computes": "by the library's own trainer; memory is the whole process'",
            "seconds": row["seconds"],
            "peak_mib": row["peak_mib"],
        }
        for row in reversed(rows)  # theirs come first there
    )


def compared(table: pd.DataFrame) -> pd.DataFrame:
    """With the ratios of every library to ours, the first of its group."""
    ours = table.drop_duplicates("group").set_index("group")
    for column, ratio in (("seconds", "ratio"), ("peak_mib", "peak_ratio")):
        table[ratio] = table[column] / table["group"].map(ours[column])
    return table[COLUMNS]


def markdown(table: pd.DataFrame) -> str:
    lines = [
        "| | what it computes | seconds | times ours | peak memory, MiB | times ours |",
        "|---|---|---|---|---|---|",
    ]
    for group, rows in table.groupby("group", sort=False):
        lines.append(f"| **{group}** | | | | | |")
        for row in rows.itertuples():
            memory = f"{row.peak_mib:,.0f} | {row.peak_ratio:.2f}"
            lines.append(
                f"| {row.library} | {row.computes} | {row.seconds:.3g} | {row.ratio:.2f} | {memory} |"
            )
    return "\n".join(lines)


def said(machine: dict[str, Any]) -> str:
    names = ("torch", "sentence-transformers", "faiss-cpu", "bm25s", "ranx", "pytrec_eval-terrier")
    libraries = ", ".join(f"{name} {machine['versions'][name]}" for name in names)
    return (
        f"{machine['device']}, {machine['threads']} threads, {machine['memory_gib']} GiB, load {machine['load']:.1f} "
        f"before; {libraries}; code {machine['code'][:10]}, {machine['date']} ([machine.json](machine.json))."
    )


def plain(axis: Axis) -> None:
    """A logarithmic axis with numbers as they are."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def draw(table: pd.DataFrame) -> None:
    """What others take, as a multiple of ours."""
    others = table[~table["library"].str.startswith("hybridnb")].iloc[::-1]
    figure, panels = plt.subplots(
        1, 2, figsize=(13, 1 + 0.5 * len(others)), sharey=True, layout="constrained"
    )
    names = [f"{row.group}\n{row.library}" for row in others.itertuples()]
    for axes, column, marker, title in (
        (panels[0], "ratio", "o", "time"),
        (panels[1], "peak_ratio", "s", "peak memory"),
    ):
        axes.axvline(1, color=INK, linewidth=1.2)
        axes.hlines(range(len(others)), 1, others[column], color=COLOURS[0], linewidth=2)
        axes.plot(others[column], range(len(others)), marker, color=COLOURS[0], markersize=8)
        for y, ratio in enumerate(others[column]):
            axes.annotate(
                f"{ratio:.2f}",
                (ratio, y),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=10,
            )
        axes.set(xscale="log", title=f"{title}, times hybridnb's", ylim=(-0.6, len(others) - 0.3))
        axes.margins(x=0.12)
        plain(axes.xaxis)
        axes.grid(axis="y", visible=False)
    panels[0].set_yticks(range(len(others)), names, fontsize=9)
    words = "; ".join(
        f"{row.group}: {row.library} {row.ratio:.2f} times our time, {row.peak_ratio:.2f} times our memory"
        for row in others.iloc[::-1].itertuples()
    )
    save(
        described(figure, f"What other libraries take, as a multiple of ours. {words}."),
        "benchmarks",
        "speed",
    )


def draw_growth(table: pd.DataFrame) -> None:
    axes_of = table["axis"].unique()
    figure, panels = plt.subplots(
        2, len(axes_of), figsize=(4 * len(axes_of), 6.5), sharey="row", layout="constrained"
    )
    looks = {"exact ranks": (COLOURS[0], "s", "--"), "evaluate": (COLOURS[1], "D", "-")}
    for column, axis in enumerate(axes_of):
        for row, (value, unit) in enumerate((("seconds", "seconds"), ("peak_mib", "peak memory, MiB"))):
            panel = panels[row, column]
            for what, (colour, marker, line) in looks.items():
                of = table[(table["axis"] == axis) & (table["library"] == what)].sort_values("size")
                panel.plot(of["size"], of[value], color=colour, marker=marker, linestyle=line)
            panel.set(xscale="log", yscale="log")
            panel.set_xticks(of["size"], [f"{size:,}" for size in of["size"]])
            panel.set_xticks([], minor=True)
            plain(panel.yaxis)
            panel.set_xlabel(axis + ("" if axis == "languages" else " of each language"))
            if not column:
                panel.set_ylabel(unit)
    legend(
        figure, [handle(what, colour, mark, linestyle=line) for what, (colour, mark, line) in looks.items()]
    )
    ends = table.sort_values("size").groupby(["axis", "library"], sort=False)
    words = "; ".join(
        f"{what} with {of['size'].iloc[0]:,.0f} to {of['size'].iloc[-1]:,.0f} {axis}: {of['seconds'].iloc[0]:.2f} to "
        f"{of['seconds'].iloc[-1]:.2f} s, {of['peak_mib'].iloc[0]:,.0f} to {of['peak_mib'].iloc[-1]:,.0f} MiB"
        for (axis, what), of in ends
    )
    save(
        described(figure, f"Time and peak memory of evaluation as sizes grow. {words}."),
        "benchmarks",
        "growth",
    )


def main(directory: Path) -> None:
    run = json.loads((directory / "speed.json").read_text(encoding="utf-8"))
    rows, machine = measured(run), run["machine_info"]["hybridnb"]
    growth = rows[rows["axis"].notna()]
    table = compared(
        pd.concat([rows[rows["axis"].isna()], trained(directory / "cpu_training.json")], ignore_index=True)
    )
    digits = {"seconds": 4, "ratio": 3, "peak_ratio": 3}
    write_text(PLACE / "speed.csv", table.round(digits).to_csv(index=False))
    growth = growth[["axis", "size", "library", "seconds", "peak_mib"]].astype({"size": int, "peak_mib": int})
    write_text(PLACE / "growth.csv", growth.round(digits).to_csv(index=False))
    write_json(PLACE / "machine.json", machine)
    readme = (PLACE / "README.md").read_text(encoding="utf-8")
    before, _, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    whole = f"{before}{BEGIN}\n\n{said(machine)}\n\n{markdown(table)}\n\n{END}{after}"
    write_text(PLACE / "README.md", whole)
    style()
    draw(table)
    draw_growth(growth)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
