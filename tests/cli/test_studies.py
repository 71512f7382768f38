"""Commands on a study: which runs they make, where, and what they print."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from toy import write_xquad_r

from hybridnb import corpora
from hybridnb.cli import main
from hybridnb.study import plan
from hybridnb.study.runs import Run
from hybridnb.study.settings import Study

pytestmark = pytest.mark.usefixtures("one_thread")


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
