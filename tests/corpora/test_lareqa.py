"""XQuAD-R and MLQA-R: published counts on the real files, errors on made-up ones."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hybridnb.corpora.lines import BadRow, BadRowsWarning
from hybridnb.corpora.sets import lareqa
from hybridnb.corpora.source import MissingData

# (questions, candidates), from the table of the README of google-research-datasets/lareqa
XQUAD_R = {
    **{"ar": (1190, 1222), "de": (1190, 1276), "el": (1190, 1234), "en": (1190, 1180), "es": (1190, 1215)},
    **{"hi": (1190, 1244), "ru": (1190, 1219), "th": (1190, 852), "tr": (1190, 1167), "vi": (1190, 1209)},
    "zh": (1190, 1196),
}
MLQA_R = {
    **{"ar": (517, 2545), "de": (512, 2362), "en": (1148, 6264), "es": (500, 1787)},
    **{"hi": (507, 2426), "vi": (511, 2828), "zh": (504, 2322)},
}


@pytest.mark.parametrize(
    ("name", "published", "pool"), [("xquad-r", XQUAD_R, 13_014), ("mlqa-r", MLQA_R, 20_534)]
)
def test_published_counts(
    real_data: Path, name: str, published: dict[str, tuple[int, int]], pool: int
) -> None:
    benchmark = lareqa.load_benchmark(name, real_data)
    counts = {
        code: (len(benchmark.queries[code]), len(benchmark.candidates[code])) for code in benchmark.languages
    }
    assert counts == published
    assert sum(map(len, benchmark.candidates.values())) == pool


def test_xquad_r_is_fully_parallel(real_data: Path) -> None:
    benchmark = lareqa.load_benchmark("xquad-r", real_data)
    ids = set(benchmark.queries["en"].ids)
    assert all(set(queries.ids) == ids for queries in benchmark.queries.values())
    assert all(set(rows) == set(XQUAD_R) for rows in benchmark.relevance.values())


def test_mlqa_r_is_parallel_in_2_to_4_languages(real_data: Path) -> None:
    benchmark = lareqa.load_benchmark("mlqa-r", real_data)
    languages_of = Counter(i for queries in benchmark.queries.values() for i in queries.ids)
    assert set(languages_of.values()) == {2, 3, 4}
    assert {i: len(rows) for i, rows in benchmark.relevance.items()} == languages_of


@pytest.mark.parametrize("name", lareqa.SOURCES)
def test_relevant_candidate_has_the_start_of_the_answer(real_data: Path, name: str) -> None:
    """Recounted by walking every span of the files; most answers lie whole in the candidate."""
    benchmark = lareqa.load_benchmark(name, real_data)
    whole = total = 0
    for code in benchmark.languages:
        content = json.loads((real_data / "lareqa" / name / f"{code}.json").read_text())
        row = 0
        for paragraph in (p for article in content["data"] for p in article["paragraphs"]):
            spans = paragraph["sentence_breaks"]
            for question in paragraph["qas"]:
                answer = question["answers"][0]
                (inside,) = [s for s, (a, b) in enumerate(spans) if a <= answer["answer_start"] < b]
                assert benchmark.relevance[question["id"]][code] == [row + inside]
                candidate = benchmark.candidates[code][row + inside]
                assert candidate == paragraph["context"][slice(*spans[inside])]
                whole += answer["text"] in candidate
                total += 1
            row += len(spans)
        assert row == len(benchmark.candidates[code])
    assert whole / total > 0.97


def test_files_at_hand_are_the_pinned_ones(real_data: Path) -> None:
    for source in lareqa.SOURCES.values():
        for file in source.files:
            assert (real_data / file.path).stat().st_size == file.size


def paragraph(**changes: Any) -> dict[str, Any]:
    question = {"id": "q1", "question": "Who?", "answers": [{"text": "Bo", "answer_start": 9}]}
    spans = [[0, 7], [8, 15]]
    return {"context": "Ann ran. Bo sat.", "qas": [question], "sentence_breaks": spans, **changes}


def write(path: Path, *paragraphs: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": 1.0, "data": [{"title": "T", "paragraphs": list(paragraphs)}]}))
    return path


def question(**changes: Any) -> dict[str, Any]:
    return {**paragraph()["qas"][0], **changes}


def test_reads_a_made_up_file(tmp_path: Path) -> None:
    second = paragraph(context="Ann ran. Bo sat.", qas=[question(id="q2", answers=[{"answer_start": 0}])])
    ids, questions, rows, candidates = lareqa.read_language(write(tmp_path / "a.json", paragraph(), second))
    assert (ids, questions, rows) == (["q1", "q2"], ["Who?", "Who?"], [1, 2])
    assert candidates == ["Ann ran", " Bo sat", "Ann ran", " Bo sat"]  # equal strings are not merged


P = r"data\[0\].paragraphs\[0\]"
MALFORMED = [
    ("text", f"field {P}.context: missing"),
    (paragraph(context=3), f"field {P}.context: is int, not str"),
    (paragraph(qas=None), f"field {P}.qas: is NoneType, not list"),
    (paragraph(qas=[]), "field data: no question in it"),
    (paragraph(sentence_breaks=[[0, 7], [6, 15]]), rf"field {P}.sentence_breaks\[1\]: \[6, 15\] is no span"),
    (paragraph(sentence_breaks=[[0, 99]]), rf"field {P}.sentence_breaks\[0\]: \[0, 99\] is no span"),
    (paragraph(sentence_breaks=[[0]]), rf"field {P}.sentence_breaks\[0\]: \[0\] is no span"),
    (paragraph(sentence_breaks=[[8, 9], [9, 15]]), rf"field {P}.sentence_breaks\[0\]: is empty"),
    (paragraph(qas=[question(answers=[])]), rf"field {P}.qas\[0\].answers: no answer"),
    (
        paragraph(qas=[question(answers=[{"answer_start": 7}])]),
        rf"field {P}.qas\[0\].answers\[0\].answer_start: 7 is in no span",
    ),
    (paragraph(qas=[question(answers=[{"answer_start": "7"}])]), r"answer_start: is str, not int"),
    (paragraph(qas=[question(), question()]), rf"field {P}.qas\[1\].id: 'q1' is there twice"),
    (paragraph(qas=[question(question=" ")]), rf"field {P}.qas\[0\].question: is empty"),
    (paragraph(qas=[question(id=1)]), rf"field {P}.qas\[0\].id: is int, not str"),
]


@pytest.mark.parametrize(("malformed", "message"), MALFORMED)
def test_malformed_file(tmp_path: Path, malformed: Any, message: str) -> None:
    path = write(tmp_path / "a.json", malformed)
    with pytest.raises(BadRow, match=f"^{path}, .*{message}"):
        lareqa.read_language(path)


@pytest.mark.parametrize("content", [b'{"data": [', b'{"data": "\xff"}', b""])
def test_file_that_is_cut_off_or_not_utf_8(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(BadRow, match=f"{path}: not a JSON file .*; fetch it again"):
        lareqa.read_language(path)


def test_missing_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)
    for code in MLQA_R:
        write(tmp_path / "lareqa" / "mlqa-r" / f"{code}.json", paragraph())
    benchmark = lareqa.load_benchmark("mlqa-r", tmp_path)
    assert benchmark.relevance == {"q1": {code: [1] for code in MLQA_R}}
    (tmp_path / "lareqa" / "mlqa-r" / "hi.json").unlink()
    with pytest.raises(MissingData, match=r"no lareqa/mlqa-r/hi.json\. .*`hybridnb fetch mlqa-r"):
        lareqa.load_benchmark("mlqa-r", tmp_path)


def test_bad_paragraphs_and_questions_may_be_skipped(tmp_path: Path) -> None:
    for code in MLQA_R:
        path = tmp_path / "lareqa" / "mlqa-r" / f"{code}.json"
        asked = [question(id="q2"), *([question(id="q3", question="")] if code == "de" else [])]
        broken = [paragraph(context=3)] if code == "hi" else []
        write(path, *broken, paragraph(), paragraph(qas=asked))
    with pytest.raises(
        BadRow, match=r"de\.json, field data\[0\]\.paragraphs\[1\]\.qas\[1\]\.question: is empty"
    ):
        lareqa.load_benchmark("mlqa-r", tmp_path)
    with pytest.warns(BadRowsWarning, match="2 bad rows skipped"):
        benchmark = lareqa.load_benchmark("mlqa-r", tmp_path, skip_bad=True)
    for code in MLQA_R:
        assert benchmark.queries[code].ids == ["q1", "q2"]
        assert benchmark.relevance["q2"][code] == [3]
    path.write_text("{")  # nothing can be read of it
    with pytest.raises(BadRow, match="not a JSON file"):
        lareqa.load_benchmark("mlqa-r", tmp_path, skip_bad=True)
