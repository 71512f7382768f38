"""What of a benchmark is in a training corpus: equal and nearly equal queries and passages, by language.

Texts are compared as the set of their character 3-grams, after NFKC, case folding and reducing everything
but letters, marks and digits to single spaces (to nothing in scripts without word spaces). Two texts are near
duplicates when the Jaccard similarity of these sets reaches the threshold. MinHash LSH (library datasketch)
only finds the pairs worth comparing; the similarity reported is the exact one.

Why 3-grams and .7: of the queries of XQuAD-R with one word exchanged (one character in zh, three in th),
.55 (zh) to .83 (en) stay at or above .7, and .92 to .98 of the passages; with 5-grams .19 to .67 and .72 to
.96, with 3-grams and .8 .20 to .53 and .77 to .92. On real text, opendocs against XQuAD-R and MLQA-R,
everything from .5 to .7 was a shared phrasing ("what is ...") and nothing reached .7.

A near pair is worth reading before it is called a leak: in corpora made from templates (cldr) different facts
share their phrasing, and most test texts have a near one.

A sentence of a training passage counts as a passage of its own: LAReQA's candidates are single sentences.

Of candidates that are read from disk, a whole Wikipedia say, only those that are relevant to a query are sought: what
else is in the pool tells nobody an answer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Literal

import numpy as np
import pandas as pd
import regex
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.corpora.scripts import UNSPACED
from hybridnb.corpora.tables import Texts
from hybridnb.progress import progress

Part = Literal["query", "passage"]
PARTS: tuple[Part, ...] = ("query", "passage")
COLUMNS = [
    *("part", "language", "kind", "item_id", "benchmark_id"),
    *("item_text", "benchmark_text", "similarity"),
]

N = 3  # characters of an n-gram
PERMUTATIONS = 128
# LSH misses a pair at the very threshold in 8 % of the cases with these, and one at .8 in .2 %.
FALSE_POSITIVE_AND_NEGATIVE_WEIGHTS = (0.1, 0.9)
SHORTEST_SENTENCE = 20  # normalised characters; shorter ones, such as "See above.", meet by chance

# in Chinese or Thai a space or comma more or less says nothing
_BETWEEN_UNSPACED = regex.compile(rf"(?<=[{UNSPACED}]) | (?=[{UNSPACED}])")
_SEPARATORS = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_SENTENCE_END = regex.compile(r"(?<=[.!?;:…])\s+|(?<=[。！？；।॥])|\n+")


def leaks(corpus: ParallelCorpus, benchmark: Benchmark, *, threshold: float = 0.7) -> pd.DataFrame:
    """Every pair of a corpus text and a benchmark text of the same language that are (nearly) equal.

    The texts of the benchmark are held in memory (about 8 KB each), the corpus is read once.

    Args:
        corpus: What was trained on.
        benchmark: What is evaluated on.
        threshold: Jaccard similarity, in (0, 1], from which a pair is near.

    Returns:
        part (query, or passage: the benchmark's candidates), language, kind (exact: equal once normalised;
        near), item_id, benchmark_id (query id, or that of the candidate), item_text (the passage, or the
        sentence of it), benchmark_text, similarity. Of a passage and its sentences only the most similar is
        kept. Most similar first.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold}; it must be a similarity in (0, 1]")
    sought = {
        (part, language): _Texts.of(ids, texts, threshold)
        for part in PARTS
        for language, (ids, texts) in _benchmark_texts(benchmark, part).items()
    }
    found: dict[tuple[Part, str, str, str], tuple[float, bool, str, str]] = {}
    bar = progress(len(corpus), "leak check", "items")
    for item in corpus.items:
        bar.update()
        for part, language, text in _units(item):
            texts = sought.get((part, language))
            for number, similarity, equal in texts.find(text, threshold) if texts else ():
                for benchmark_id, benchmark_text in texts.named[number] if texts else ():
                    pair = (part, language, item.id, benchmark_id)
                    hit = (similarity, equal, text, benchmark_text)
                    found[pair] = max(hit, found.get(pair, hit), key=lambda h: h[:2])
    bar.close()
    rows = [
        (part, language, "exact" if equal else "near", item_id, benchmark_id, text, other, similarity)
        for (part, language, item_id, benchmark_id), (similarity, equal, text, other) in found.items()
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values("similarity", ascending=False, kind="stable", ignore_index=True)


def summary(table: pd.DataFrame, benchmark: Benchmark) -> pd.DataFrame:
    """How many of a benchmark's texts were found, by part and language; the zeros too.

    Args:
        table: Of `leaks`.
        benchmark: The same as there.

    Returns:
        part, language, texts (of the benchmark), exact, near (that are near but not exact), share (of the
        texts that are either).
    """
    rows = []
    for part in PARTS:
        for language, (ids, _) in sorted(_benchmark_texts(benchmark, part).items()):
            here = table[(table["part"] == part) & (table["language"] == language)]
            exact = set(here.loc[here["kind"] == "exact", "benchmark_id"])
            near = set(here["benchmark_id"]) - exact
            share = len(exact | near) / len(ids) if len(ids) else 0.0
            rows.append((part, language, len(ids), len(exact), len(near), share))
    return pd.DataFrame(rows, columns=["part", "language", "texts", "exact", "near", "share"])


def normalised(text: str) -> str:
    """NFKC, case-folded, everything but letters, marks and digits as single spaces.

    There are no spaces at all beside characters of scripts that put none between words.

    Example:
        >>> normalised("Ｗhat's  new?"), normalised("你好, 世界")
        ('what s new', '你好世界')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _BETWEEN_UNSPACED.sub("", _SEPARATORS.sub(" ", folded).strip())


def jaccard(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    """|A and B| / |A or B| of two sets, as sorted arrays without repeats."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common)


def ngrams(text: str) -> NDArray[np.uint32]:
    """The set of the character n-grams of a normalised text, as sorted 32-bit hashes.

    A text shorter than N characters is one n-gram.
    """
    characters = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    if len(characters) < N:
        characters = np.pad(characters, (0, N - len(characters)))
    hashes = np.zeros(len(characters) - N + 1, dtype=np.uint64)
    for offset in range(N):  # polynomial in a large odd number, modulo 2^64; then its high bits are mixed in
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + characters[offset : offset + len(hashes)]
    hashes = (hashes ^ (hashes >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.unique((hashes >> np.uint64(32)).astype(np.uint32))


@dataclass(frozen=True)
class _Texts:
    """The distinct normalised texts of one part and language of a benchmark, and the index over them.

    named: for each, (id, text) of all that are equal to it once normalised. grams: its n-grams.
    """

    number: Mapping[str, int]
    named: Sequence[Sequence[tuple[str, str]]]
    grams: Sequence[NDArray[np.uint32]]
    index: MinHashLSH

    @classmethod
    def of(cls, ids: Sequence[str], texts: Sequence[str], threshold: float) -> _Texts:
        named: dict[str, list[tuple[str, str]]] = {}
        for text_id, text in zip(ids, texts, strict=True):
            if folded := normalised(text):
                named.setdefault(folded, []).append((text_id, text))
        grams = [ngrams(folded) for folded in named]
        index = MinHashLSH(
            threshold=threshold, num_perm=PERMUTATIONS, weights=FALSE_POSITIVE_AND_NEGATIVE_WEIGHTS
        )
        for number, of_text in enumerate(grams):
            index.insert(number, _signature(of_text), check_duplication=False)
        return cls({folded: n for n, folded in enumerate(named)}, list(named.values()), grams, index)

    def find(self, text: str, threshold: float) -> Iterator[tuple[int, float, bool]]:
        """(number, similarity, whether equal) of every text that is at least so similar."""
        folded = normalised(text)
        if not folded:
            return
        equal = self.number.get(folded)
        if equal is not None:
            yield equal, 1.0, True
        grams = ngrams(folded)
        for number in self.index.query(_signature(grams)):
            if number != equal and (similarity := jaccard(grams, self.grams[number])) >= threshold:
                yield number, similarity, False


def _benchmark_texts(benchmark: Benchmark, part: Part) -> dict[str, tuple[Sequence[str], Sequence[str]]]:
    """Language -> (ids, texts) of the queries, or of the candidates."""
    if part == "query":
        return {language: (queries.ids, queries.texts) for language, queries in benchmark.queries.items()}
    rows: dict[str, Sequence[int]] = {
        language: range(len(texts)) for language, texts in benchmark.candidates.items()
    }
    for language, texts in benchmark.candidates.items():
        if isinstance(texts, Texts):
            answers = (of_query.get(language, ()) for of_query in benchmark.relevance.values())
            rows[language] = sorted(set(chain.from_iterable(answers)))
    return {
        language: (
            [benchmark.candidate_id(language, row) for row in of_language],
            [benchmark.candidates[language][row] for row in of_language],
        )
        for language, of_language in rows.items()
    }


def _units(item: Item) -> Iterator[tuple[Part, str, str]]:
    """(part, language, text) of everything that is compared: queries, passages, sentences of passages."""
    for language, text in item.queries.items():
        yield "query", language, text
    for language, text in item.passages.items():
        yield "passage", language, text
        sentences = _SENTENCE_END.split(text)
        if len(sentences) > 1:
            for sentence in sentences:
                if len(normalised(sentence)) >= SHORTEST_SENTENCE:
                    yield "passage", language, sentence


@cache
def _empty() -> MinHash:
    return MinHash(num_perm=PERMUTATIONS, scheme="affine32", hashfunc=int)  # n-grams are hashes already


def _signature(grams: NDArray[np.uint32]) -> MinHash:
    signature = _empty().copy()
    signature.update_batch(grams)
    return signature
