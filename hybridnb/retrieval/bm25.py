"""BM25, the lexical baseline, by the library bm25s: monolingual and in the merged pool of all languages.

There is no cross-lingual task: two languages share hardly a term.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

import bm25s
import numpy as np
import pandas as pd
import regex
from numpy.typing import NDArray
from tqdm.auto import tqdm

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.scripts import UNSPACED
from hybridnb.retrieval.ranks_table import COLUMNS, WHOLE_POOL

# Marks belong to words: without them a Hindi or Thai word falls apart at its vowel signs.
_RUN = regex.compile(rf"(?P<unspaced>[{UNSPACED}]+)|(?:(?![{UNSPACED}])[\p{{L}}\p{{M}}\p{{N}}])+")


def terms(text: str) -> list[str]:
    """The terms of a text: case-folded words (NFKC), and character bigrams of scripts without word spaces.

    No stemming and no stop words, so that no language is treated better than another. A run of one
    character is a term itself. Bigrams for Chinese: Nie et al., On the use of words and n-grams for
    Chinese information retrieval (IRAL 2000).
    """
    found = []
    for match in _RUN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        run = match.group()
        if match["unspaced"] and len(run) > 1:
            found += [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            found.append(run)
    return found


def bm25_ranks(benchmark: Benchmark, *, progress: bool = False) -> pd.DataFrame:
    """The ranks table of the monolingual and the multilingual task under BM25 (Lucene's, k1 1.5, b .75).

    Each monolingual pool has statistics of its own; the merged pool has those of all languages together.
    Columns and tie rule as `ranking.exact_ranks`, but for one thing: a candidate that shares no term with
    the query is not retrieved, and its rank is missing (NaN; metrics count it as infinite). Counting that
    tie of nearly the whole pool for the relevant candidate, as elsewhere, would put a tokenizer that finds
    no words at all on top: whole runs of Chinese as terms give a monolingual mAP of .95 on XQuAD-R.
    """
    tokens = {language: [terms(t) for t in texts] for language, texts in benchmark.candidates.items()}
    monolingual = [language for language in sorted(benchmark.queries) if language in tokens]
    rows: list[tuple[str, str, str, str, str, float, int]] = []
    total = sum(len(benchmark.queries[c]) for c in (*monolingual, *benchmark.queries))
    with tqdm(total=total, disable=not progress, unit=" queries", desc="BM25") as bar:
        for name in (*monolingual, WHOLE_POOL):
            merged = name == WHOLE_POOL
            pool = _Pool(tokens if merged else {name: tokens[name]})
            for language in sorted(benchmark.queries) if merged else [name]:
                queries = benchmark.queries[language]
                task = "multilingual" if merged else "monolingual"
                for query_id, text in zip(queries.ids, queries.texts, strict=True):
                    bar.update()
                    relevant = pool.positions(benchmark.relevance[query_id])
                    if len(relevant) == 0:  # a monolingual query that is answered in other languages only
                        continue
                    excluded = pool.positions(benchmark.excluded.get(query_id, {}))
                    ranks = _ranks(pool.scores(text), relevant, excluded)
                    size = pool.size - len(excluded)
                    for position, rank in zip(relevant, ranks, strict=True):
                        rows.append((task, language, name, query_id, pool.language(position), rank, size))
    table = pd.DataFrame(rows, columns=COLUMNS[1:])
    table.insert(0, "dataset", benchmark.name)
    categorical = [c for c in COLUMNS if c not in ("rank", "pool_size")]
    return table.astype({**dict.fromkeys(categorical, "category"), "pool_size": np.int32})


class _Pool:
    """The candidates of some languages, in the order of the codes, one below the other, in one index."""

    def __init__(self, tokens: Mapping[str, Sequence[list[str]]]) -> None:
        self.languages = sorted(tokens)
        self.starts = np.cumsum([0, *(len(tokens[language]) for language in self.languages)])
        self.size = int(self.starts[-1])
        self.index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
        everything = [of_text for language in self.languages for of_text in tokens[language]]
        self.index.index(everything, show_progress=False)

    def positions(self, rows: Mapping[str, Sequence[int]]) -> NDArray[np.int64]:
        """Where rows of languages stand in the pool, in increasing order; other languages are left out."""
        found = [
            self.starts[number] + row
            for number, language in enumerate(self.languages)
            for row in sorted(set(rows.get(language, ())))
        ]
        return np.array(found, dtype=np.int64)

    def language(self, position: int) -> str:
        return self.languages[int(np.searchsorted(self.starts, position, side="right")) - 1]

    def scores(self, query: str) -> NDArray[np.float32]:
        """[candidates]: 0 where no term is shared (positive elsewhere)."""
        vocabulary = self.index.vocab_dict
        known = [vocabulary[term] for term in terms(query) if term in vocabulary]
        if not known:
            return np.zeros(self.size, dtype=np.float32)
        # rounded: scores that are equal on paper stay equal whatever order their terms were added in
        return np.round(self.index.get_scores(known), 5)


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
