"""What systems find, side by side: the command's table, and that of a notebook."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from toy import NAMES, TEMPLATES, TOY_BENCHMARK, toy_encoder, write_study, write_xquad_r

from hybridnb.cli import main
from hybridnb.report import hits
from hybridnb.retrieval.search import Hit, lexical
from hybridnb.study.plan import run_of
from hybridnb.study.settings import Study

pytestmark = pytest.mark.usefixtures("one_thread")

QUERY = TEMPLATES["en"][0].format(NAMES[0])


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HYBRIDNB_DATA", str(write_xquad_r(tmp_path / "data")))
    toy_encoder().save(tmp_path / "model")
    return tmp_path


def test_the_command_shows_systems_side_by_side(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["search", "bm25", str(data / "model"), "--benchmark", "xquad-r", "--top", "3"]
    assert main([*command, "--query", QUERY, "--query", "wo?"]) == 0
    said = capsys.readouterr().out
    first, own = said.split("xquad-r, query")
    assert "bm25" in first and "\x1b" not in said
    assert len(re.findall(r"^ *[123] +(?:✓ )?\w\w .*? +(?:✓ )?\w\w .+$", first, re.MULTILINE)) == 3
    assert re.search(rf"^ *1 +✓ \w\w {NAMES[0]} ", first, re.MULTILINE)
    assert f"query {NAMES[0]}: of 11 answers in the first 3: bm25 3, " in said
    assert "✓" not in own and "wo?" in own  # what answers a query of one's own is not known


def test_queries_come_from_the_standard_input_too(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    candidates = data / "mine.csv"
    candidates.write_text("language,text\nde,Der Hafen ist zu.\nen,The harbour is closed.\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("harbour\n\nHafen zu\n"))
    assert main(["search", "bm25", "--candidates", str(candidates)]) == 0
    found = re.findall(r"^ *1 +(\w\w) ", capsys.readouterr().out, re.MULTILINE)
    assert found == ["en", "de"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["bm25"], "give one of --benchmark NAME and --candidates FILE"),
        (["bm25", "--benchmark", "xquad-r", "--candidates", "a.txt"], "give one of --benchmark NAME"),
        (["bm25", "--candidates", "nowhere.txt"], "nowhere.txt"),
        (["e5/X-Y-seed0", "--benchmark", "cldr"], "`hybridnb train e5 --strategy 'X-Y' --seed 0"),
        (["e5/X-Z-seed0", "--benchmark", "cldr"], "no run 'e5/X-Z-seed0' (of study e5 there are"),
        (["bm25", "--benchmark", "cldr", "--query", " "], "the query is empty"),
    ],
)
def test_what_the_user_got_wrong_is_a_line(
    arguments: list[str], named: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line


def test_in_a_terminal_languages_and_answers_stand_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    found = {"a": [Hit(1.0, "de", 0, "[b]Ana[/b]", True), Hit(0.5, "es", 0, "x", False)], "b": []}
    hits.show(found, TOY_BENCHMARK, QUERY)
    said = capsys.readouterr().out
    assert "[b]Ana[/b]" in said  # no markup of a text acts
    assert "\x1b[36mde" in said and "\x1b[1m[b]Ana" in said and "\x1b[33mes" in said, repr(said)


def test_the_box_of_a_notebook_answers_what_is_typed_and_what_is_chosen() -> None:
    systems = {"bm25": lexical(TOY_BENCHMARK)}
    choice, field, table = hits.query_box(systems, TOY_BENCHMARK, "").children
    assert field.value == choice.options[0] == hits.examples(TOY_BENCHMARK)[0]
    assert table.value == hits.to_html(
        hits.find(systems, TOY_BENCHMARK, field.value), TOY_BENCHMARK, field.value
    )
    field.value = f"{NAMES[4]} wohnt"
    assert f"{NAMES[4]} wohnt am see." in table.value and "✓" not in table.value
    choice.value = choice.options[-1]
    assert field.value == choice.value and "✓" in table.value
    field.value = " "
    assert table.value == ""


def test_the_systems_of_a_study_are_its_runs_that_have_encoders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hybridnb.study.plan.RUNS", tmp_path / "runs")
    study = Study.load(write_study(tmp_path))
    assert list(hits.systems_of(study, TOY_BENCHMARK, None)) == ["bm25"]
    said = capsys.readouterr().out
    assert "No encoder here of X-X-mono seed 0, hybrid(0.5) seed 0: `hybridnb train toy`" in said
    toy_encoder().save(run_of(study, "X-X-mono", 0).encoder_directory)
    found = hits.systems_of(study, TOY_BENCHMARK, None)
    assert list(found) == ["X-X-mono seed 0", "bm25"]
    assert len(hits.find(found, TOY_BENCHMARK, QUERY, 5)["X-X-mono seed 0"]) == 5
    assert "No encoder here of hybrid(0.5) seed 0: " in capsys.readouterr().out


def test_the_table_of_a_notebook_escapes_texts_and_lets_them_run_their_way() -> None:
    found = {"a<b": [Hit(1.0, "en", 0, "<script>", True)], "c": [Hit(1.0, "de", 0, "x & y", None)] * 2}
    html = hits.to_html(found, TOY_BENCHMARK, QUERY)
    assert "<script>" not in html and "&lt;script&gt;" in html and "a&lt;b" in html and "x &amp; y" in html
    assert html.count('dir="auto"') == 4 and html.count("✓") == 1 and html.count("<tr>") == 3
    assert f"query {NAMES[0]}: of 3 answers in the first 2: a&lt;b 1, c 0" in html
