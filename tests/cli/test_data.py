"""What there is, described: data sets by name, and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybridnb import corpora
from hybridnb.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")


def test_describe_lists_every_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] if line.startswith(" ") else line for line in lines]
    assert listed == [
        "Benchmarks:",
        *corpora.BENCHMARKS,
        "Corpora:",
        *{**corpora.TRAINING, **corpora.VALIDATION},
        "Parallel sentences:",
        *corpora.SENTENCES,
    ]


def test_describe_a_file(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(toy.with_name("pairs.jsonl"))
    assert main(["describe", path, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["name"], values["kind"], values["all"]["items"]) == ("pairs", "corpus", 24)
    assert values["languages"]["de"]["queries"] == values["pairs"]["de"]["es"] == 24
    assert main(["describe", path]) == 0
    text = capsys.readouterr().out
    assert values["sha256"] in text.splitlines()[0]
    assert [line.split()[0] for line in text.splitlines()[-4:]] == ["de", "en", "es", "*"]


def test_describe_shows_examples(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "cldr", "--show", "2"]) == 0
    text = capsys.readouterr().out
    assert text.count("\nquery ") == text.count("\nis answered by\n") == 2
    benchmark = corpora.load_benchmark("cldr")
    first = benchmark.queries["en"].ids[0]
    assert f"\nquery {first}\n  ar      {benchmark.queries['ar'].texts[0]}\n" in text
    assert f"\n  en      0  {benchmark.candidates['en'][0]}\n" in text
    assert main(["describe", str(toy.with_name("pairs.jsonl")), "--json", "--show", "3"]) == 0
    examples = json.loads(capsys.readouterr().out)["examples"]
    items = {item.id: item for item in corpora.training_corpus(toy.with_name("pairs.jsonl")).items}
    assert len(examples) == 3
    for example in examples:
        item = items[example["id"]]
        assert example["query"] == item.queries
        assert example["relevant"] == {c: {item.id: p} for c, p in item.passages.items()}


def test_a_bad_row_stops_unless_it_is_skipped(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = toy.with_name("pairs.jsonl")
    rows = path.read_text().splitlines()
    rows[1] = rows[1].replace('"src": "toy"', '"src": 3')
    path.write_text("\n".join(rows) + "\n")
    assert main(["describe", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}" in line and "line 2" in line and "src" in line
    with pytest.warns(UserWarning, match="1 bad row"):
        assert main(["describe", str(path), "--skip-bad", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["all"]["items"] == 23
