"""BM25, the lexical baseline, by the library bm25s: monolingual and in the merged pool of all languages.

There is no cross-lingual task: two languages share hardly a term.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import regex
from numpy.typing import NDArray

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.scripts import UNSPACED
from hybridnb.progress import progress
from hybridnb.retrieval.nearest import First
from hybridnb.retrieval.pool import Pool
from hybridnb.retrieval.ranks_table import make_ranks

if TYPE_CHECKING:
    import bm25s

# Marks belong to words: without them a Hindi or Thai word falls apart at its vowel signs.
_RUN = regex.compile(rf"(?P<unspaced>[{UNSPACED}]+)|(?:(?![{UNSPACED}])[\p{{L}}\p{{M}}\p{{N}}])+")
_ZERO_WIDTH_SPACE = "\u200b"
_INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\N{ARABIC TATWEEL}]+")
_GREEK = regex.compile(r"\p{Greek}+")
_OPTIONAL_MARKS = regex.compile(r"(?<=[\p{Latin}\p{Greek}\p{Cyrillic}\p{Arabic}\p{Hebrew}])\p{Mn}+")


def terms(text: str) -> list[str]:
    """The terms of a text: normalised words, and character bigrams of scripts without word spaces.

    No stemming and no stop words, so that no language is treated better than another. Texts are normalised as search
    engines do it, all languages in the same way:

    - NFKC and case folding with invisible characters left out (soft hyphen, zero-width joiners, direction marks,
      variation selectors, and the Arabic tatweel), as Unicode's NFKC_Casefold; a zero-width space ends a word.
    - Marks that no letter of its own exists for are left out in scripts which may write them or not: Arabic and Hebrew
      vowels, stress in Russian. Greek, whose capitals bear no accents, loses them all. Letters of a language stay what
      they are (ü, ñ, й, ệ), and so do the vowel signs of Hindi and Thai.
    - I, İ, ı and i are one letter: which of them is the capital of which depends on the language.

    Bigrams for Chinese: Nie et al., On the use of words and n-grams for Chinese information retrieval (IRAL 2000). A
    run of one character is a term itself.

    Args:
        text: a query or a candidate.

    Returns:
        The terms in their order.

    Example:
        >>> terms("İlk Straße, 2015"), terms("拦截 D-Line")
        (['ilk', 'strasse', '2015'], ['拦截', 'd', 'line'])
    """
    found = []
    for match in _RUN.finditer(_normalised(text)):
        run = match.group()
        if match["unspaced"] and len(run) > 1:
            found += [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            found.append(run)
    return found


def _normalised(text: str) -> str:
    visible = _INVISIBLE.sub("", text.replace(_ZERO_WIDTH_SPACE, " "))
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    folded = _GREEK.sub(lambda match: unicodedata.normalize("NFD", match.group()), folded)
    return _OPTIONAL_MARKS.sub("", folded).replace("ı", "i")


def bm25_ranks(benchmark: Benchmark) -> pd.DataFrame:
    """The ranks table of the monolingual and the multilingual task under BM25 (Lucene's, k1 1.5, b .75).

    Each monolingual pool has statistics of its own; the merged pool has those of all languages together. The tie rule
    is that of `ranking.exact_ranks`, but for one thing: a candidate that shares no term with the query is not
    retrieved, and its rank is missing (NaN; metrics count it as infinite). Counting that tie of nearly the whole pool
    for the relevant candidate, as elsewhere, would put a tokenizer that finds no words at all on top: whole runs of
    Chinese as terms give a monolingual mAP of .95 on XQuAD-R.

    Args:
        benchmark: queries, candidates and which answers which.

    Returns:
        A ranks table (see `ranks_table.check_ranks`) without the cross-lingual task.

    Raises:
        ValueError: the benchmark has no queries, or excludes what is relevant or not there.

    Example:
        >>> from hybridnb.corpora.benchmark import Queries
        >>> queries = {"en": Queries(["q"], ["the lake"])}
        >>> toy = Benchmark("toy", queries, {"en": ["the dam", "a lake", "a lake, the lake"]}, {"q": {"en": [1]}})
        >>> bm25_ranks(toy)[["task", "rank", "pool_size"]]
                   task  rank  pool_size
        0   monolingual   2.0          3
        1  multilingual   2.0          3
    """
    return bm25_table(*relevant_bm25_ranks(benchmark))


def relevant_bm25_ranks(benchmark: Benchmark) -> tuple[Pool, NDArray[np.float64], NDArray[np.float64]]:
    """What `bm25_ranks` makes its table of; as `ranking.relevant_ranks`."""
    pool = Pool.of(benchmark)
    relevant, excluded = pool.positions(pool.relevant), pool.positions(pool.excluded)
    in_language, in_pool = np.full((2, *pool.relevant_language.shape), np.nan)
    for code, first, asked, scored in _scored(benchmark, pool):
        ranks = in_pool if code < 0 else in_language
        for query, scores in zip(asked, scored, strict=True):
            answers, out = relevant[pool.query_id[query]], excluded[pool.query_id[query]]
            here = (answers >= first) & (answers < first + len(scores))
            out = out[(out >= first) & (out < first + len(scores))] - first
            ranks[query, here] = _ranks(scores, answers[here] - first, out)
    return pool, in_language, in_pool


def bm25_table(pool: Pool, in_language: NDArray[np.float64], in_pool: NDArray[np.float64]) -> pd.DataFrame:
    """`make_ranks` without the cross-lingual task."""
    table = make_ranks(pool, in_language, in_pool)
    return table[table["task"] != "crosslingual"].reset_index(drop=True)


def bm25_first(benchmark: Benchmark, k: int) -> Iterator[First]:
    """The first k candidates of every pool, as `nearest.first_of_pools`; those that share no term are none."""
    pool = Pool.of(benchmark)
    excluded = pool.positions(pool.excluded)
    for code, first, asked, scored in _scored(benchmark, pool):
        positions = np.full((len(asked), k), -1, dtype=np.int64)
        kept = np.zeros((len(asked), k), dtype=np.float32)
        for row, (query, scores) in enumerate(zip(asked, scored, strict=True)):
            out = excluded[pool.query_id[query]]
            scores[out[(out >= first) & (out < first + len(scores))] - first] = 0
            found = np.argsort(-scores, kind="stable")[:k]
            found = found[scores[found] > 0]
            positions[row, : len(found)] = first + found
            kept[row, : len(found)] = scores[found]
        yield First(code, asked, positions, kept)


def _scored(
    benchmark: Benchmark, pool: Pool
) -> Iterator[tuple[int, int, NDArray[np.int64], Iterator[NDArray[np.float32]]]]:
    """Language's number or -1 for all, where it begins in the merged pool, queries, scores [candidates] of each."""
    candidates = [terms(text) for code in pool.languages for text in benchmark.candidates.get(code, ())]
    queries = [terms(text) for code in sorted(benchmark.queries) for text in benchmark.queries[code].texts]
    pools = [(n, int(pool.starts[n]), int(pool.sizes[n])) for n, _ in pool.with_candidates]
    asked = [np.flatnonzero(pool.query_language == n) for n, _, _ in pools]
    pools.append((-1, 0, len(candidates)))
    asked.append(np.arange(len(queries)))
    with progress(sum(map(len, asked)), "BM25", "queries") as bar:
        for (code, first, size), of_pool in zip(pools, asked, strict=True):
            index = index_of(candidates[first : first + size])

            def scored(index: bm25s.BM25 = index, of_pool: NDArray[np.int64] = of_pool) -> Iterator[Any]:
                for query in of_pool:
                    yield scores_of(index, queries[query])
                    bar.update()

            yield code, first, of_pool, scored()


def index_of(candidates: Sequence[Sequence[str]]) -> bm25s.BM25:
    """The index of a pool, of the `terms` of its candidates."""
    # where JAX is installed, importing this takes three quarters of the GPU's memory from the encoder
    import bm25s

    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(candidates, show_progress=False)
    return index


def scores_of(index: bm25s.BM25, query: Sequence[str]) -> NDArray[np.float32]:
    """[candidates] of the `terms` of a query: 0 where none is shared, positive elsewhere."""
    known = [index.vocab_dict[term] for term in query if term in index.vocab_dict]
    if not known:
        return np.zeros(index.scores["num_docs"], dtype=np.float32)
    # rounded: scores that are equal on paper stay equal whatever order their terms were added in
    return np.round(index.get_scores(known), 5)


def _ranks(
    scores: NDArray[np.float32], relevant: NDArray[np.int64], excluded: NDArray[np.int64]
) -> list[float]:
    """The rank of each relevant candidate, NaN where its score is 0 (see `bm25_ranks` for ties)."""
    of_relevant = scores[relevant]
    scores[excluded] = -1  # below every candidate that is in the pool
    ranks = []
    for number, score in enumerate(of_relevant):
        tied_before = int((of_relevant[:number] == score).sum())
        rank = 1 + int((scores > score).sum()) + tied_before
        ranks.append(float(rank) if score > 0 else np.nan)
    return ranks
