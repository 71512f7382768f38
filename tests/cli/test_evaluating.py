"""Systems evaluated and compared, each in the form in which it comes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toy import static_model, toy_encoder, write_xquad_r

from hybridnb import corpora
from hybridnb.cli import main
from hybridnb.encoders.foreign import load_encoder

pytestmark = pytest.mark.usefixtures("one_thread")


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
