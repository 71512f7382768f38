"""What several systems find for a query, side by side: in a terminal, and in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.retrieval.search import Hit, System, asked, dense, lexical, search
from hybridnb.study.named import system_of
from hybridnb.study.plan import study_runs
from hybridnb.study.settings import NOT_TRAINED, Study

COLOURS = "cyan", "magenta", "yellow", "blue", "green", "red"
"""Of languages, which are written besides; with more languages than these they come again, underlined."""

WIDTH = 60
"""Of a system's column where no terminal says how much there is."""

Found = Mapping[str, Sequence[Hit]]
"""System -> what it finds, best first."""


def systems(names: Sequence[str], benchmark: Benchmark, cache: Path | None) -> dict[str, System]:
    """The systems of some names, ready for queries.

    Args:
        names: Of runs and models, as `system_of` takes them, and "bm25".
        benchmark: Whose candidates are searched; they are encoded, or found in the cache.
        cache: As of `search.dense`.

    Raises:
        FileNotFoundError, ValueError: As `system_of` and `load_encoder`; before anything is encoded.
    """
    from hybridnb.encoders.foreign import load_encoder

    encoders = {name: None if name == "bm25" else load_encoder(system_of(name)) for name in names}
    return {
        name: dense(encoder, benchmark, cache) if encoder else lexical(benchmark)
        for name, encoder in encoders.items()
    }


def systems_of(study: Study, benchmark: Benchmark, cache: Path | None) -> dict[str, System]:
    """BM25, and the first seed's runs of a study as far as their encoders are here; what to do for others is printed.

    Args:
        study: Whose runs.
        benchmark, cache: As of `systems`.
    """
    runs = [run for run in study_runs(study) if run.seed == study.seeds[0] or run.strategy == NOT_TRAINED]
    there = {run.label: str(run.encoder_directory) for run in runs if run.encoder_directory.is_dir()}
    if missing := [run.label for run in runs if run.label not in there]:
        print(
            f"No encoder here of {', '.join(missing)}: `hybridnb train {study.name}` trains what is not recorded, as "
            "`make study` does of the default study; of a recorded one `--set name=mine` trains another, which is "
            "../runs/mine/study.json here. BM25 needs none."
        )
    ready = systems([*there.values(), "bm25"], benchmark, cache)
    return dict(zip([*there, "bm25"], ready.values(), strict=True))


def examples(benchmark: Benchmark, count: int = 6) -> list[str]:
    """Some queries of a benchmark, each in the next of its languages.

    Example:
        >>> from hybridnb.corpora import load_benchmark
        >>> len(examples(load_benchmark("cldr"), 3))
        3
    """
    languages = sorted(benchmark.queries)
    chosen = []
    for number in range(count if languages else 0):
        texts = benchmark.queries[languages[number * len(languages) // count % len(languages)]].texts
        chosen.append(texts[number * len(texts) // count])
    return chosen


def query_box(systems: Mapping[str, System], benchmark: Benchmark, query: str) -> Any:
    """A field to type queries into, above what each system finds: for notebooks (ipywidgets).

    Args:
        systems, benchmark: As of `find`.
        query: To begin with; left empty, one of the benchmark's.

    Returns:
        The widget: a choice of the benchmark's queries, the field, and the table.
    """
    import ipywidgets

    known = examples(benchmark, 24)
    query = query or next(iter(known), "")
    wide = ipywidgets.Layout(width="95%")
    options = list(dict.fromkeys([query, *known]))
    choice = ipywidgets.Dropdown(options=options, description="ask", layout=wide)
    field = ipywidgets.Text(query, description="or type", continuous_update=False, layout=wide)
    table = ipywidgets.HTML()

    def answer(_: Any = None) -> None:
        asked_for = field.value.strip()
        table.value = to_html(find(systems, benchmark, asked_for), benchmark, asked_for) if asked_for else ""

    choice.observe(lambda change: setattr(field, "value", change["new"]), "value")
    field.observe(answer, "value")
    answer()
    return ipywidgets.VBox([choice, field, table])


def find(
    systems: Mapping[str, System], benchmark: Benchmark, query: str, k: int = 10
) -> dict[str, list[Hit]]:
    """What each system finds; see `search.search`."""
    return {name: search(system, benchmark, query, k) for name, system in systems.items()}


def summary(found: Found, benchmark: Benchmark, query: str) -> str:
    """In a sentence, how many of what answers a query each system has found; "" where that is not known.

    Example:
        >>> from hybridnb.corpora import load_benchmark
        >>> summary({}, load_benchmark("cldr"), "Who?")
        ''
    """
    ids = asked(benchmark, query)
    if not ids:
        return ""
    answers = {
        (code, row)
        for query_id in ids
        for code, rows in benchmark.relevance[query_id].items()
        for row in rows
    }
    each = (f"{name} {sum(bool(hit.relevant) for hit in hits)}" for name, hits in found.items())
    depth = max(map(len, found.values()), default=0)
    of = f"of {len(answers)} answers in the first {depth}"
    return f"{benchmark.name}, query {', '.join(ids)}: {of}: {', '.join(each)}"


def show(found: Found, benchmark: Benchmark, query: str) -> None:
    """Print what was found as a table, a system a column; what answers the query is marked, coloured in a terminal."""
    width = None if sys.stdout.isatty() else WIDTH * len(found) + 4
    console = Console(width=width, highlight=False)
    title = Text(query, style="italic")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", expand=True)
    table.add_column("", justify="right", min_width=len(str(max(map(len, found.values()), default=0))))
    for name in found:
        table.add_column(Text(name), overflow="fold", ratio=1)
    for rank, hits in enumerate(zip_longest(*found.values()), 1):
        table.add_row(str(rank), *(_cell(hit, sorted(benchmark.candidates)) for hit in hits))
    with console.capture() as drawn:
        console.print(table)
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()))
    if said := summary(found, benchmark, query):
        print(said, end="\n\n", flush=True)


def _cell(hit: Hit | None, languages: Sequence[str]) -> Text:
    if hit is None:
        return Text("")
    again, colour = divmod(languages.index(hit.language), len(COLOURS))
    text = Text("✓ " if hit.relevant else "  ", no_wrap=True, overflow="ellipsis")
    text.append(f"{hit.language:<3}", style=f"{COLOURS[colour]}{' underline' if again % 2 else ''}")
    return text.append(" ".join(hit.text.split()), style="bold" if hit.relevant else "")


def to_html(found: Found, benchmark: Benchmark, query: str) -> str:
    """The same as a table of HTML; each text runs in its own direction."""
    languages = sorted(benchmark.candidates)
    left = f"text-align:start;vertical-align:top;width:{96 // max(1, len(found))}%"
    head = "".join(f'<th style="{left}">{escape(name)}</th>' for name in found)
    rows = []
    for rank, hits in enumerate(zip_longest(*found.values()), 1):
        cells = "".join(f'<td style="{left}">{_html(hit, languages)}</td>' for hit in hits)
        rows.append(f"<tr><td>{rank}</td>{cells}</tr>")
    caption = f'<caption dir="auto" style="text-align:start">{escape(query)}</caption>'
    return (
        f'<table style="table-layout:auto;width:100%">{caption}'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<p>{escape(summary(found, benchmark, query))}</p>"
    )


def _html(hit: Hit | None, languages: Sequence[str]) -> str:
    if hit is None:
        return ""
    # dark on a pale ground: readable on a white page and on a black one
    ground = f"hsl({360 * languages.index(hit.language) // len(languages)} 70% 82%)"
    code = f'<b style="background:{ground};color:#111;padding:0 .25em">{escape(hit.language)}</b>'
    text = f'<span dir="auto">{escape(hit.text)}</span>'
    return f"{code} ✓ <b>{text}</b>" if hit.relevant else f"{code} {text}"


def typed() -> Iterator[str]:
    """Queries from the standard input, one a line; in a terminal they are asked for until an empty one."""
    if not sys.stdin.isatty():
        yield from filter(None, map(str.strip, sys.stdin))
        return
    while True:
        try:
            query = input("query (none to end): ").strip()
        except EOFError:
            return
        if not query:
            return
        yield query
