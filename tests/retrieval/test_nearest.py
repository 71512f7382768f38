"""The first candidates: against a full sort, in pools that are small or read in blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import LANGUAGES, random_benchmark, score_vectors

from hybridnb.retrieval import nearest
from hybridnb.retrieval.nearest import top_languages


@given(
    seed=st.integers(0, 2**32),
    k=st.integers(1, 60),
    excluded=st.booleans(),
    block=st.sampled_from([3, 65_536]),
)
@settings(max_examples=40)
def test_the_first_k_are_those_of_a_full_sort(seed: int, k: int, excluded: bool, block: int) -> None:
    rng = np.random.default_rng(seed)
    benchmark = random_benchmark(rng, partly=True, several=True, excluded=excluded)
    queries, candidates = score_vectors(benchmark, rng)
    expected = {}
    for asked, of_language in benchmark.queries.items():
        shares = dict.fromkeys(LANGUAGES, 0.0)
        for number, query_id in enumerate(of_language.ids):
            pool = [
                (-float(vector @ queries[asked][number]), language, row)
                for language in LANGUAGES
                for row, vector in enumerate(candidates[language])
                if row not in benchmark.excluded.get(query_id, {}).get(language, ())
            ]
            first = sorted(pool)[:k]
            for _, language, _ in first:
                shares[language] += 1 / len(first) / len(of_language)
        if len(of_language):
            expected |= {(asked, c): share for c, share in shares.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "BLOCK", block)
        table = top_languages(benchmark, queries, candidates, k)
    found = table.set_index(["query_language", "candidate_language"])["share"].to_dict()
    assert found == pytest.approx(expected)


def test_k_is_one_or_more() -> None:
    benchmark = random_benchmark(np.random.default_rng(7), partly=False, several=False, excluded=False)
    with pytest.raises(ValueError, match="k is 0"):
        top_languages(benchmark, *score_vectors(benchmark, np.random.default_rng(7)), k=0)
