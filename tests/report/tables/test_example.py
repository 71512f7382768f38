"""One query followed through its pools."""

from __future__ import annotations

from collections.abc import Callable

from hybridnb.report.tables import example
from hybridnb.study.runs import Run


def test_a_query_in_the_middle_is_followed(draw_run: Callable[..., Run]) -> None:
    ranks = draw_run("X-Y", spread=20).ranks("toy")
    language, query = example.typical_query(ranks)
    table = example.one_query(ranks, language, query)
    assert table["rank in the merged pool"].is_monotonic_increasing and len(table) == 3
    distances = []
    for (asked, number), rows in ranks[ranks["task"] == "multilingual"].groupby(
        ["query_language", "query_id"], observed=True
    ):
        distances.append(rows["rank"].max() - rows["rank"].min())
        if (asked, number) == (language, query):
            by_language = rows.set_index("relevant_language")["rank"].sort_values()
            assert table["rank in the merged pool"].to_dict() == by_language.to_dict()
    mine = table["rank in the merged pool"].iloc[-1] - table["rank in the merged pool"].iloc[0]
    assert mine == sorted(distances)[len(distances) // 2]
    alone = ranks[(ranks["query_id"] == query) & (ranks["query_language"] == language)]
    of_own = alone[alone["task"] == "monolingual"]["rank"].item()
    assert table.loc[language, "rank in its own pool"] == of_own and set(table["candidates there"]) == {1000}
