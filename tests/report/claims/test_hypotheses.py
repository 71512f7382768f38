"""What is claimed is the plan."""

from __future__ import annotations

from hybridnb.measures.catalogue import MEASURES
from hybridnb.report.claims import hypotheses
from hybridnb.report.claims.hypotheses import DISTANCE, HYPOTHESES


def test_hypotheses_are_the_plan() -> None:
    keys = [one.key for one in HYPOTHESES]
    assert len(set(keys)) == len(keys) == 25
    assert {label for one in HYPOTHESES for label in one.labels} <= set(MEASURES)
    plan = hypotheses.planned(["xquad-r", "mlqa-r"])
    assert len(plan) == sum(len(one.labels) for one in HYPOTHESES)
    row = plan.set_index("claim").loc["d1"]
    assert row.to_dict() == {
        "hypothesis": "hybrid(0.5) is better than X-X-mono",
        "measure": "rank distance",
        "benchmarks": "xquad-r mlqa-r",
        "direction": "lower",
        "smallest": "5% of that of no fine-tuning",
    }
    assert plan[plan["measure"] != DISTANCE]["smallest"].unique().tolist() == ["0.01"]
    assert "in languages unseen" in plan.set_index("claim").loc["e-a1", "hypothesis"]
