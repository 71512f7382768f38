"""Tables as corpora: CSV in its forms, Parquet, `datasets` directories; errors by file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridnb.corpora import content_sha256, training_corpus
from hybridnb.corpora.columns import read_table
from hybridnb.corpora.lines import BadRow, BadRowsWarning
from hybridnb.corpora.parallel import Item

ITEMS = [
    Item("a#1", "faq", "a", {"en": "Why?", "de": "Warum?"}, {"en": 'So,\n"so".', "de": "Darum; darum."}),
    Item("a#2", "faq", "a", {"en": "How?"}, {"en": "Thus."}),
    Item("b", "faq", "b", {"en": "When?", "de": "Wann?"}, {"en": "Now.", "de": "Jetzt."}),
]
CODES = "de", "en"


def wide(items: Sequence[Item]) -> list[dict[str, str]]:
    return [
        {
            "id": item.id,
            "source": item.source,
            **{f"query_{code}": item.queries.get(code, "") for code in CODES},
            **{f"passage_{code}": item.passages.get(code, "") for code in CODES},
        }
        for item in items
    ]


def long(items: Sequence[Item]) -> list[dict[str, str]]:
    return [
        {
            "id": i.id,
            "language": code,
            "query": i.queries[code],
            "passage": i.passages[code],
            "source": i.source,
        }
        for i in items
        for code in i.queries
    ]


def write_csv(path: Path, rows: Sequence[dict[str, str]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("form", [wide, long])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_the_same_corpus_in_either_form(
    tmp_path: Path, form: Callable[[Sequence[Item]], list[dict[str, str]]], delimiter: str
) -> None:
    path = write_csv(tmp_path / "faq.csv", form(ITEMS), delimiter)
    corpus = training_corpus(str(path))
    assert corpus.name == "faq"
    assert list(corpus.items) == ITEMS


def test_arrow_is_the_same_corpus(tmp_path: Path) -> None:
    fields = [{"id": i.id, "src": i.source, "q": dict(i.queries), "p": dict(i.passages)} for i in ITEMS]
    for number, rows in enumerate((wide(ITEMS), long(ITEMS), fields)):
        table = datasets.Dataset.from_list(rows)
        table.save_to_disk(tmp_path / f"saved{number}")
        table.to_parquet(tmp_path / f"{number}.parquet")
        (tmp_path / f"parts{number}" / "data").mkdir(parents=True)
        table.to_parquet(tmp_path / f"parts{number}" / "data" / "train-0.parquet")
        for path in (f"saved{number}", f"{number}.parquet", f"parts{number}"):
            assert list(training_corpus(tmp_path / path).items) == ITEMS
    assert content_sha256(tmp_path / "saved0") != content_sha256(tmp_path / "saved1")


def test_what_a_table_may_leave_out(tmp_path: Path) -> None:
    path = tmp_path / "faq.csv"
    path.write_text("\ufeffquery_pt-BR,passage_pt-BR\r\nQue?,Isso.\r\n\r\nOnde?,Ali.\r\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="pt-BR as pt"):
        corpus = read_table(path)
    assert [(i.id, i.source, i.document, i.queries["pt"]) for i in corpus.items] == [
        ("2", "faq", "2", "Que?"),
        ("4", "faq", "4", "Onde?"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("id,query_en,answer_en\n", 1, "answer_en", "not a known column"),
        ("id,query_en\n", 1, "passage_en", "missing, though there is query_en"),
        ("id,source\n", 1, None, "no column of texts"),
        ("id,query_xyzzy,passage_xyzzy\n", 1, "query_xyzzy", "no language code"),
        (
            "query_en,passage_en,query_en-GB,passage_en-GB\n",
            1,
            "query_en-GB",
            "the same language as query_en",
        ),
        ("id,id\n", 1, "id", "there twice"),
        ("id,language,query\n", 1, "passage", "missing"),
        ("id,language,query,passage,score\n", 1, "score", "not a known column"),
        ("query_en,passage_en\nWhy?,\n", 2, "passage_en", "is empty"),
        ("query_en,passage_en\nWhy?,So.\n,\n", 3, None, "no text in any language"),
        ('query_en,passage_en\n"Why\n?",So.\nHow?,Thus,or so.\n', 4, None, "has 3 cells, not 2"),
        ('query_en,passage_en\nWhy?,"So."."\n', 2, None, "not a CSV row"),
        (
            "id,language,query,passage\n1,en,Why?,So.\n1,xx-yy-zz,Why?,So.\n",
            3,
            "language",
            "no language code",
        ),
        ("id,language,query,passage\n1,en,Why?,So.\n1,en,Why?,So.\n", 3, "language", "has en already"),
        ("id,language,query,passage\n,en,Why?,So.\n", 2, "id", "is empty"),
        ("id,query_en,passage_en\n1,Why?,So.\n1,How?,Thus.\n", 3, "id", "there already, on line 2"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, text: str, line: int, column: str | None, problem: str
) -> None:
    path = tmp_path / "faq.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadRow, match=problem) as caught:
        read_table(path)
    assert (caught.value.path, caught.value.line, caught.value.field) == (str(path), line, column)


def test_bad_rows_can_be_skipped(tmp_path: Path) -> None:
    path = tmp_path / "faq.csv"
    path.write_text('query_en,passage_en\nWhy?,\nHow?,"a" b\nWhen?,Now.\nWho,is,it\n', encoding="utf-8")
    with pytest.warns(BadRowsWarning, match="3 bad rows"):
        corpus = read_table(path, skip_bad=True)
    assert [item.queries["en"] for item in corpus.items] == ["When?"]


def test_what_is_no_table_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "empty").mkdir()
    datasets.DatasetDict({"train": datasets.Dataset.from_list(wide(ITEMS))}).save_to_disk(tmp_path / "splits")
    for name, problem in (
        ("broken.parquet", "not a table"),
        ("empty", "no directory of `Dataset.save_to_disk`"),
        ("splits", "splits train: name one of them"),
    ):
        with pytest.raises(ValueError, match=problem) as caught:
            training_corpus(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    assert len(training_corpus(tmp_path / "splits" / "train")) == 3


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1), min_size=2, max_size=6
    )
)
def test_any_text_comes_through(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    texts = [f"{number}{text}" for number, text in enumerate(texts)]
    path = tmp_path_factory.mktemp("csv") / "faq.csv"
    write_csv(path, [{"id": str(n), "query_en": text, "passage_en": text} for n, text in enumerate(texts)])
    assert [item.passages["en"] for item in read_table(path).items] == texts


def test_the_fields_of_jsonl_are_named_as_there(tmp_path: Path) -> None:
    rows = [{"id": "1", "src": "s", "q": {"en": "Why?", "de": None}, "p": {"en": "So.", "de": "Darum."}}]
    datasets.Dataset.from_list(rows).to_parquet(tmp_path / "faq.parquet")
    with pytest.raises(BadRow, match=r"line 1, field q\.de: missing, though p has de"):
        read_table(tmp_path / "faq.parquet")
