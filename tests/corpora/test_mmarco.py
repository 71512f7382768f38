"""mMARCO: a small collection in the published layout."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridnb.corpora.lines import BadRow, BadRowsWarning
from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.corpora.sets import mmarco
from hybridnb.corpora.source import MissingData
from hybridnb.training.batching import BatchSampler
from hybridnb.training.strategies import Strategy

CODES = ("de", "en", "zh")
NAMES = {"de": "german", "en": "english", "zh": "chinese"}
# query 30 has two positives, and passage 2 answers two queries: 10, 30 and 20 hang together
TRIPLES = [(10, 0, 5), (30, 1, 4), (30, 2, 3), (20, 2, 0), (40, 4, 1), (10, 0, 3)]
GROUPS = [{0, 5}, {1, 2, 3}, {4}]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)
    return tmp_path / "cache" / "hybridnb"


def collection(root: Path, code: str) -> Path:
    return root / f"mmarco/data/google/collections/{NAMES[code]}_collection.tsv"


def queries(root: Path, code: str) -> Path:
    return root / f"mmarco/data/google/queries/train/{NAMES[code]}_queries.train.tsv"


def triples(root: Path) -> Path:
    return root / "mmarco/data/triples.train.ids.small.tsv"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for code in CODES:
        collection(root, code).parent.mkdir(parents=True, exist_ok=True)
        queries(root, code).parent.mkdir(parents=True, exist_ok=True)
        collection(root, code).write_text("".join(f"{n}\tpassage {n} auf {code}\tü\n" for n in range(6)))
        # in no order, and the last line without an end, as files may be
        queries(root, code).write_text("\n".join(f"{n}\tquery {n} auf {code} 問" for n in (30, 10, 40, 20)))
    triples(root).write_text("".join("{}\t{}\t{}\n".format(*triple) for triple in TRIPLES))
    return root


def load(root: Path, **options: bool) -> ParallelCorpus:
    return mmarco.load(root, languages=CODES, **options)


def test_triples_in_every_language(root: Path) -> None:
    corpus = load(root)
    assert (len(corpus), corpus.languages, corpus.index.sources) == (6, CODES, ("mmarco",))
    assert corpus.index.has_query.shape == corpus.index.has_passage.shape == (6, 3)
    assert corpus.index.has_query.all() and corpus.index.has_passage.all()
    assert corpus.index.source_of.tolist() == [0] * 6
    for position, (query, positive, negative) in enumerate(TRIPLES):
        item = corpus[position]
        assert item.id == f"{query}:{positive}:{negative}"
        assert dict(item.queries) == {code: f"query {query} auf {code} 問" for code in CODES}
        assert dict(item.passages) == {code: f"passage {positive} auf {code}\tü" for code in CODES}
        assert isinstance(corpus.items, mmarco.Triples)
        mined = corpus.items.negative(position)
        assert dict(mined) == {code: f"passage {negative} auf {code}\tü" for code in CODES}
    assert [item.id for item in corpus.items[1:5:2]] == ["30:1:4", "20:2:0"]
    with pytest.raises(IndexError):
        corpus[6]


def test_items_with_a_common_query_or_passage_are_one_group(root: Path) -> None:
    groups = load(root).index.groups
    assert groups.dtype == np.int64
    assert [set(np.flatnonzero(groups == g).tolist()) for g in dict.fromkeys(groups.tolist())] == GROUPS


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_groups_are_the_connected_components(pairs: list[tuple[int, int]]) -> None:
    """Against components found by merging sets."""
    coded = np.unique(mmarco._pair(np.array([(q, p, 0) for q, p in pairs], dtype=np.int32)))
    merged: list[set[str]] = []
    for query, positive in pairs:
        nodes = {f"q{query}", f"p{positive}"}
        merged, touching = [m for m in merged if not m & nodes], [m for m in merged if m & nodes]
        merged.append(nodes.union(*touching))
    group = mmarco._components(coded)
    expected = [next(n for n, m in enumerate(merged) if f"q{pair >> 32}" in m) for pair in coded.tolist()]
    same = np.equal.outer(group, group)
    assert (same == np.equal.outer(expected, expected)).all()


def test_batches_are_drawn_from_it(root: Path) -> None:
    corpus = load(root)
    sampler = BatchSampler(corpus, Strategy("X-Y"), batch_size=3, seed=0)
    batch = sampler.batch(0)
    assert len({int(corpus.index.groups[pair.item]) for pair in batch}) == 3
    assert all(corpus[p.item].queries[p.query_language] for p in batch)


def test_index_is_made_once(root: Path, cache: Path) -> None:
    first = load(root)
    made = {path: path.stat().st_mtime_ns for path in (cache / "tables").rglob("*")}
    again = load(root)
    assert {path: path.stat().st_mtime_ns for path in (cache / "tables").rglob("*")} == made
    assert again.sha256 == first.sha256
    # a changed file is indexed anew, and known by another hash
    text = triples(root).read_text()
    triples(root).write_text(text[text.index("\n") + 1 :])
    assert len(load(root)) == 5
    assert load(root).sha256 != first.sha256
    # fewer languages reuse what is indexed of the others
    assert mmarco.load(root, languages=("de", "zh"))[0].queries["zh"] == "query 30 auf zh 問"


def test_index_failure_leaves_nothing_behind(root: Path, cache: Path) -> None:
    triples(root).write_text("no ids\n")
    with pytest.raises(BadRow):
        load(root)
    kept = {path.parent.name for path in (cache / "tables").rglob("bad.json")}
    assert {path.name for path in (cache / "tables").iterdir() if path.is_dir()} == kept
    assert len(kept) == 2 * len(CODES)


def edit(path: Path, old: str, new: str | bytes) -> Path:
    new = new.encode() if isinstance(new, str) else new
    content = path.read_bytes()
    assert old.encode() in content
    path.write_bytes(content.replace(old.encode(), new, 1))
    return path


BAD_TEXTS = {
    "no tab": (
        "2\tpassage 2 auf de",
        "2 passage 2",
        r"line 3, field id: b'2 passage 2.*' is no number before a tab",
    ),
    "no number": ("2\tpassage", "x\tpassage", "line 3, field id: b'x' is no number"),
    "large number": ("2\tpassage", f"{10**30}\tpassage", "line 3, field id: b'1000.*' is no number"),
    "empty": ("2\tpassage 2 auf de\tü", "2\t ", "line 3, field text: is empty"),
    "repeated": ("2\tpassage", "1\tpassage", "line 3, field id: 1 is there already"),
    "not UTF-8": ("2\tpassage", b"2\t\xff", "line 3, field text: not UTF-8"),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_bad_text(root: Path, case: str) -> None:
    old, new, message = BAD_TEXTS[case]
    path = edit(collection(root, "de"), old, new)
    with pytest.raises(BadRow, match=f"^{path}, {message}"):
        load(root)
    # and the two triples that name passage 2 fall with it, told again from the cache
    for _ in range(2):
        with pytest.warns(BadRowsWarning, match="3 bad rows skipped") as caught:
            corpus = load(root, skip_bad=True)
        (warning,) = [w.message for w in caught if isinstance(w.message, BadRowsWarning)]
        assert [(row.line, row.field) for row in warning.rows[1:]] == [(3, "positive"), (4, "positive")]
        assert [item.id for item in corpus.items] == ["10:0:5", "30:1:4", "40:4:1", "10:0:3"]
        assert len(set(corpus.index.groups.tolist())) == 3


BAD_TRIPLES = {
    "two ids": ("30\t2\t3", "30\t2", None, r"b'30\\t2\\n' is not three ids"),
    "no ids": ("30\t2\t3", "30\t2\tx", None, "is not three ids"),
    "too large": ("30\t2\t3", f"30\t2\t{2**31}", None, "is not three ids"),
    "unknown query": ("30\t2\t3", "31\t2\t3", "query", r"31 is not in german_queries\.train\.tsv"),
    "unknown passage": ("30\t2\t3", "30\t2\t6", "negative", r"6 is not in german_collection\.tsv"),
    "negative id": ("30\t2\t3", "30\t-1\t3", "positive", r"-1 is not in german_collection\.tsv"),
}


@pytest.mark.parametrize("case", BAD_TRIPLES)
def test_bad_triple(root: Path, case: str) -> None:
    old, new, field, message = BAD_TRIPLES[case]
    path = edit(triples(root), old, new)
    place = "line 3" if field is None else f"line 3, field {field}"
    with pytest.raises(BadRow, match=f"^{path}, {place}: .*{message}"):
        load(root)
    with pytest.warns(BadRowsWarning, match="1 bad row skipped"):
        corpus = load(root, skip_bad=True)
    assert [item.id for item in corpus.items] == ["10:0:5", "30:1:4", "20:2:0", "40:4:1", "10:0:3"]


def test_text_missing_in_one_language(root: Path) -> None:
    edit(queries(root, "zh"), "\n20\tquery 20 auf zh 問", "")
    with pytest.raises(BadRow, match=r"line 4, field query: 20 is not in chinese_queries\.train\.tsv"):
        load(root)


def test_no_triples(root: Path) -> None:
    triples(root).write_text("")
    with pytest.raises(ValueError, match=f"{triples(root)}: no triple in it"):
        load(root)


def test_missing_language(root: Path) -> None:
    with pytest.raises(ValueError, match="mMARCO has no language 'el'; it has ar, de, en"):
        mmarco.load(root, languages=("el",))
    with pytest.raises(
        MissingData, match=r"no mmarco/data/google/collections/hindi_collection\.tsv and 1 more"
    ):
        mmarco.load(root, languages=("de", "hi"))


def test_hash_is_of_the_content(root: Path, tmp_path: Path) -> None:
    before = load(root).sha256
    moved = root.rename(tmp_path / "moved")
    assert load(moved).sha256 == before
    assert len(before) == len(hashlib.sha256().hexdigest())
    edit(collection(moved, "zh"), "passage 5", "Passage 5")
    assert load(moved).sha256 != before


def test_source_names_the_hub_files_of_the_languages() -> None:
    paths = [file.path for file in mmarco.source(("zh", "en")).files]
    assert paths == [
        "mmarco/data/triples.train.ids.small.tsv",
        "mmarco/data/google/collections/english_collection.tsv",
        "mmarco/data/google/queries/train/english_queries.train.tsv",
        "mmarco/data/google/collections/chinese_collection.tsv",
        "mmarco/data/google/queries/train/chinese_queries.train.tsv",
    ]
    for file in mmarco.source().files:
        assert (
            file.url
            == f"hf://datasets/unicamp-dl/mmarco@{mmarco.REVISION}/{file.path.removeprefix('mmarco/')}"
        )


def test_byte_order_mark_and_line_ends(root: Path) -> None:
    before = [dict(item.passages) for item in load(root).items]
    path = collection(root, "de")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert [dict(item.passages) for item in load(root).items] == before
