"""Every reader on a sound document with one mutation: read, or refused with an error that names the file."""

from __future__ import annotations

import gzip
import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridnb import corpora
from hybridnb.corpora.sets import mmarco, ntrex

LANGUAGES = ("de", "en")


def jsonl(*rows: Any) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def squad(**more: Any) -> dict[str, Any]:
    question = {"id": "q1", "question": "Who?", "answers": [{"text": "Bo", "answer_start": 9}]}
    return {"context": "Ann ran. Bo sät.", "qas": [question], **more}


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("captions.jsonl", content)
    return out.getvalue()


def lareqa() -> bytes:
    paragraph = squad(sentence_breaks=[[0, 7], [8, 16]])
    return json.dumps({"data": [{"title": "T", "paragraphs": [paragraph]}]}, ensure_ascii=False).encode()


PAIRS = jsonl(
    {"id": "a#1", "src": "s", "q": {"en": "q1", "zh-CN": "问"}, "p": {"en": "p1", "zh-CN": "答"}, "doc": "a"},
    {"id": "b#1", "src": "t", "q": {"en": "q2"}, "p": {"en": "p2"}, "c": {"en": "T"}, "k": "q"},
)
SENTENCES = jsonl(
    *({"id": f"s{n}", "doc": "d", "t": {c: f"{c} {n} ü" for c in ntrex.LANGUAGES}} for n in range(2))
)
CAPTIONS = jsonl(
    *(
        {"image/key": k, "image/locale": "en", "en": {"caption": ["a", "b"]}, "de": {"caption": ["ü"]}}
        for k in "xy"
    )
)
SHIFTED = json.dumps({"data": [{"title": "T", "paragraphs": [squad()]}]}).encode()
MIRACL = {
    "miracl/topics.miracl-v1.0-sw-dev.tsv": b"1\tNani?\n2\tWapi?\n",
    "miracl/qrels.miracl-v1.0-sw-dev.tsv": b"1 Q0 1#0 1\n2 Q0 2#0 1\n2 Q0 1#0 0\n",
    "miracl/miracl-corpus-v1.0-sw/docs-0.jsonl.gz": jsonl(
        *({"docid": f"{n}#0", "title": "t", "text": "ü"} for n in (1, 2))
    ),
}
MMARCO = {"mmarco/data/triples.train.ids.small.tsv": b"1\t0\t1\n2\t1\t0\n"}
for file in mmarco.source(LANGUAGES).files[1:]:
    MMARCO[file.path] = "0\tnull\n1\teins ü\n2\tzwei\n".encode()

BEIR = {
    "own/corpus.jsonl.gz": jsonl(
        {"_id": "d1", "title": "T", "text": "ü", "language": "en"},
        {"_id": "d2", "text": "b", "lang": "zh-CN", "metadata": {}},
    ),
    "own/queries.jsonl": jsonl(
        {"_id": "q1", "text": "?", "language": "en"}, {"_id": "q1", "text": "¿", "language": "zh"}
    ),
    "own/qrels/test.tsv": b"query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t2\n",
}
TREC = {
    "own/en/topics.txt": b"<top>\n<num> Number: 1\n<title> a\n</top>\n<top>\n<num>2\n<title>b\n</top>\n",
    "own/en/qrels.txt": b"1 0 d1 1\n2 0 d2 1\n2 0 d1 0\n",
    "own/en/corpus.tsv": "d1\tü\nd2\tb\n".encode(),
}

Load = Callable[[Path, bool], object]


def own(name: str) -> Load:
    return lambda directory, skip_bad: corpora.load_benchmark(directory / name, skip_bad=skip_bad)


def benchmark(name: str) -> Load:
    return lambda directory, skip_bad: corpora.load_benchmark(name, directory=directory, skip_bad=skip_bad)


READERS: dict[str, tuple[dict[str, bytes], Load]] = {
    "jsonl": (
        {"mine.jsonl": PAIRS},
        lambda directory, skip_bad: corpora.training_corpus(directory / "mine.jsonl", skip_bad=skip_bad),
    ),
    "pairs as a benchmark": ({"mine.jsonl": PAIRS}, own("mine.jsonl")),
    "captions": ({"mine.jsonl": CAPTIONS}, own("mine.jsonl")),
    "beir": (BEIR, own("own")),
    "trec": (TREC, own("own")),
    "ntrex, stored": ({"ntrex/sentences.jsonl.gz": SENTENCES}, benchmark("ntrex")),
    "ntrex, published": (
        {file.path: "eins\nzwei ü\n".encode() for file in ntrex.SOURCE.files},
        benchmark("ntrex"),
    ),
    "xquad-r": ({file.path: lareqa() for file in corpora.source_of("xquad-r").files}, benchmark("xquad-r")),
    "xm3600": (
        {"xm3600/captions.jsonl": CAPTIONS},
        lambda directory, skip_bad: corpora.load_benchmark(
            "xm3600", directory=directory, languages=LANGUAGES, skip_bad=skip_bad
        ),
    ),
    "xm3600, zipped": (
        {"xm3600/captions.zip": zipped(CAPTIONS)},
        lambda directory, skip_bad: corpora.load_benchmark(
            "xm3600", directory=directory, languages=LANGUAGES, skip_bad=skip_bad
        ),
    ),
    "squadshifts, stored": (
        {"squadshifts/new_wiki.jsonl.gz": jsonl({"title": "T", **squad()})},
        lambda directory, skip_bad: corpora.validation_corpus(
            "squadshifts", directory=directory, skip_bad=skip_bad
        ),
    ),
    "squadshifts, published": (
        {"squadshifts/new_wiki_v1.0.json": SHIFTED},
        lambda directory, skip_bad: corpora.validation_corpus(
            "squadshifts", directory=directory, skip_bad=skip_bad
        ),
    ),
    "miracl": (MIRACL, benchmark("miracl-sw")),
    "mmarco": (
        MMARCO,
        lambda directory, skip_bad: corpora.training_corpus(
            "mmarco", directory=directory, languages=LANGUAGES, skip_bad=skip_bad
        ),
    ),
}

PIECES = [
    *(
        b"\0",
        b"\xff",
        b'"',
        b"{",
        b"}",
        b"[",
        b",",
        b"\t",
        b" ",
        b"\n",
        b"\r",
        b"null",
        b"true",
        b"NaN",
        b"1e999",
    ),
    *(
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"-1",
        b"9" * 30,
        b"\xe2\x80\xa8",
        b"[]",
        b"{}",
        b"#",
        b"PAR1",
    ),
]
ODD: list[Any] = [
    None,
    True,
    -1,
    10**30,
    1.5,
    "",
    " ",
    "x",
    "\ud800",
    "ü",
    [],
    ["x"],
    {},
    {"en": "x"},
    {"zh": "x"},
]


@st.composite
def mutation(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """One change of a document: of its bytes, of a line, or of a value of its JSON."""
    kind = draw(
        st.sampled_from(["insert", "replace", "delete", "cut", "repeat a line", "drop a line", "value"])
    )
    where, length = draw(st.floats(0, 1)), draw(st.integers(1, 12))
    piece, odd, place = draw(st.sampled_from(PIECES)), draw(st.sampled_from(ODD)), draw(st.integers(0, 99))

    def mutate(data: bytes) -> bytes:
        at = int(where * len(data))
        lines = data.split(b"\n")
        line = int(where * (len(lines) - 1))
        if kind == "insert":
            return data[:at] + piece + data[at:]
        if kind == "replace":
            return data[:at] + piece + data[at + length :]
        if kind == "delete":
            return data[:at] + data[at + length :]
        if kind == "cut":
            return data[:at]
        if kind == "repeat a line":
            return b"\n".join([*lines, lines[line]])
        if kind == "value" and lines[line].startswith(b"{"):
            lines[line] = json.dumps(_with_odd(json.loads(lines[line]), odd, place)).encode()
            return b"\n".join(lines)
        return b"\n".join([*lines[:line], *lines[line + 1 :]])

    return mutate


def _with_odd(content: Any, odd: Any, place: int) -> Any:
    """The JSON with the value at one place, counted in depth first, replaced."""
    places: list[tuple[Any, Any]] = []

    def visit(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            places.append((value, key))
            visit(value[key])

    visit(content)
    container, key = places[place % len(places)]
    container[key] = odd
    return content


def write(directory: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), mutate=mutation(), skip_bad=st.booleans())
def test_one_mutation_is_handled_or_named(
    reader: str,
    data: st.DataObject,
    mutate: Callable[[bytes], bytes],
    skip_bad: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)
    files, load = READERS[reader]
    changed = data.draw(st.sampled_from(sorted(files)))
    write(tmp_path, {**files, changed: mutate(files[changed])})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            load(tmp_path, skip_bad)
        except ValueError as error:
            assert str(tmp_path) in str(error), error
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "reader", [name for name, (files, _) in READERS.items() if any("gz" in f for f in files)]
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutate=mutation(), skip_bad=st.booleans())
def test_gzip_with_one_mutation(
    reader: str,
    mutate: Callable[[bytes], bytes],
    skip_bad: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)
    files, load = READERS[reader]
    write(tmp_path, files)
    (changed,) = (tmp_path / name for name in files if name.endswith(".gz"))
    changed.write_bytes(mutate(gzip.compress(files[str(changed.relative_to(tmp_path))])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            load(tmp_path, skip_bad)
        except ValueError as error:
            assert str(tmp_path) in str(error), error


@pytest.mark.parametrize("reader", READERS)
def test_the_document_itself_is_sound(reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)
    files, load = READERS[reader]
    write(tmp_path, files)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert load(tmp_path, False) is not None
