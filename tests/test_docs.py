"""What README, CONTRIBUTING and docs/ tell to type: commands and options that there are, code that runs."""

from __future__ import annotations

import json
import re
import shlex
from functools import partial
from pathlib import Path

import nbformat
import pytest
import typer
import typer.core
from toy import write_study

import hybridnb
from hybridnb import corpora
from hybridnb.cli import app
from hybridnb.measures.catalogue import _METRICS, Measure
from hybridnb.measures.formulas import recall_at
from hybridnb.study.settings import Study
from hybridnb.training.batching import BatchSampler
from hybridnb.training.strategies import STRATEGIES, Strategy

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
COMMANDS = typer.main.get_command(app)
assert isinstance(COMMANDS, typer.core.TyperGroup)
LINE = re.compile(
    r"^ *(?:.*&& )?((?:(?:accelerate launch|torchrun) (?:--\S+ \S+ )*-m )?hybridnb(?:\.cli)? .*)$",
    re.MULTILINE,
)
INLINE = re.compile(r"`(hybridnb [^`]*)`")


def typed(page: Path) -> dict[str, bool]:
    """Every hybridnb command of a page -> whether it is whole (in a code block), not named in a sentence."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    code = "\n".join(
        re.findall(r"^```(?:bash|sh|console)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        + re.findall(r"^ {4,}.*$", text, re.MULTILINE)
    )
    return dict.fromkeys(INLINE.findall(text), False) | dict.fromkeys(LINE.findall(code), True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_options_are_there(page: Path) -> None:
    for command, whole in typed(page).items():
        words = shlex.split(command, comments=True)
        while words[0] not in ("hybridnb", "hybridnb.cli"):
            words.pop(0)
        if words[1].startswith("-"):
            continue
        told = COMMANDS.commands.get(words[1])
        assert told is not None, command
        try:
            if whole:
                values = told.make_context(words[1], words[2:]).params
            else:
                context = told.make_context(words[1], [], resilient_parsing=True)
                context.resilient_parsing = False
                values, _, _ = told.make_parser(context).parse_args(words[2:])
        except (typer.TyperException, ValueError) as error:
            pytest.fail(f"{page.name}: {command}: {error}")
        for setting in values.get("setting") or ():
            name, _, value = setting.partition("=")
            Study.load("quick", {name: json.loads(value) if value[0] in "0123456789[" else value})
        for strategy in values.get("strategy") or ():
            if strategy != "NAME":
                Strategy.parse(strategy)


def blocks() -> list[str]:
    return re.findall(
        r"```(?:python|text)\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL
    )


def test_the_strategy_of_contributing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STRATEGIES, "_entries", dict(STRATEGIES))
    exec(blocks()[0], {})
    corpus = corpora.training_corpus(write_study(tmp_path).with_name("pairs.jsonl"))
    sampler = BatchSampler(corpus, Strategy("quarter"), batch_size=4, seed=0)
    languages = [{pair[1:] for pair in sampler.batch(step)} for step in range(200)]
    alone = sum(len({code for pair in batch for code in pair}) == 1 for batch in languages)
    assert 30 < alone < 70


def test_the_benchmark_of_contributing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora.BENCHMARKS, "_entries", dict(corpora.BENCHMARKS))
    exec(compile(blocks()[1], "cities.py", "exec", dont_inherit=True), {"__name__": "cities"})
    pairs = write_study(tmp_path).with_name("pairs.jsonl")
    (tmp_path / "cities").mkdir()
    pairs.rename(tmp_path / "cities" / "pairs.jsonl")
    benchmark = corpora.load_benchmark("cities", directory=tmp_path)
    assert (benchmark.languages, len(benchmark.queries["en"].ids)) == (("de", "en", "es"), 24)


def test_the_measure_of_contributing() -> None:
    (row,) = eval(f"[{blocks()[2]}]", {"partial": partial, "recall_at": recall_at})
    assert [type(part) for part in row] == [type(part) for part in _METRICS[1]]
    label, name, formula, source, _ = row
    measure = Measure(f"Mo {label}", "monolingual", name, formula, 3, True, source)
    assert measure.format(float(measure.per_query([[1, 9]])[0])) == "0.500"


def test_the_notebook_for_colab_shows_figures_that_the_default_study_draws() -> None:
    cells = [cell.source for cell in nbformat.read(ROOT / "docs" / "colab.ipynb", as_version=4).cells]
    drawn = {path.stem for path in (ROOT / "figures" / "quick").iterdir()}
    shown = re.findall(r'"(\w+)"', re.findall(r"for name in \((.*)\)", cells[-1])[0])
    assert shown and {f"cldr_{name}" for name in shown} <= drawn


def test_files_that_a_page_takes_in_are_there() -> None:
    """`ruff format` would make `--8 < --"..."` of it in a block of Python, which MkDocs shows as it stands."""
    taken = {
        page.name: re.findall(r'^--8<-- "(.+)"$', page.read_text(encoding="utf-8"), re.MULTILINE)
        for page in PAGES
    }
    assert all((ROOT / name).is_file() for names in taken.values() for name in names)
    assert taken["own-model.md"] and taken["trainer.md"]


def test_the_reference_has_every_name_of_the_package() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert set(hybridnb.__all__) <= set(re.findall(r"^::: \S+\.(\w+)$", reference, re.MULTILINE))
