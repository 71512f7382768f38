"""The first table of the README is that of the recorded study, and its sentences are the verdicts."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from hybridnb.places import HOME
from hybridnb.report.claims import deciding
from hybridnb.report.tables import headline, systems
from hybridnb.study.plan import study_runs, sweep_runs
from hybridnb.study.settings import Study

README = (HOME / "README.md").read_text(encoding="utf-8")
STUDY = Study.load("e5")
SYSTEMS = {
    "multilingual-e5-small as it is": "no fine-tuning",
    "and one matrix": "one-map",
    "and a matrix for each language": "language-maps",
}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_first_table_is_the_recorded_one() -> None:
    lines = README[README.index("| XQuAD-R, 11 languages") :].split("\n\n")[0].splitlines()
    labels = cells(lines[0])[1:]
    of = systems.systems(study_runs(STUDY), "xquad-r", ["one-map", "language-maps"])
    recorded = headline.with_spread(systems.systems_table(of, "xquad-r"))
    shown = [cells(line) for line in lines[2:]]
    assert len(shown) == 6
    for name, *values in shown:
        expected = recorded.loc[SYSTEMS.get(name, name), labels]
        assert [re.sub(r"\b0(?=\.)", "", str(value)) for value in expected] == values, name


@pytest.fixture(scope="module")
def verdicts() -> pd.DataFrame:
    runs = dict.fromkeys(
        run for name in STUDY.benchmarks for run in [*study_runs(STUDY), *sweep_runs(STUDY, name)]
    )
    return deciding.verdicts(list(runs), STUDY.benchmarks)


def test_the_answer_is_what_the_verdicts_say(verdicts: pd.DataFrame) -> None:
    counts = verdicts["verdict"].value_counts()
    said = re.search(
        r"Of (\d+) claims fixed before the runs (\d+) are held, (\d+) equivalent .*?(\d+) refuted and (\d+) undecided",
        README,
        re.DOTALL,
    )
    assert said
    kinds = ["held", "equivalent", "refuted", "undecided"]
    assert list(map(int, said.groups())) == [len(verdicts), *(counts[kind] for kind in kinds)]
    for label, said_from, said_to in (("Cr mAP", ".019", ".028"), ("Mul mAP", ".050", ".098")):
        rows = verdicts[(verdicts["claim"] == "f1") & (verdicts["measure"] == label)]
        assert set(rows["verdict"]) == {"held"}
        ends = [f"{end:.3f}"[1:] for end in (rows["difference"].min(), rows["difference"].max())]
        assert ends == [said_from, said_to] and f"{said_from} to {said_to}" in README
    matrix = verdicts[(verdicts["claim"] == "f2") & (verdicts["measure"] == "Mul mAP")].set_index("benchmark")
    assert matrix.index[matrix["verdict"] == "held"].tolist() == ["xquad-r", "mlqa-r", "captions-human"]
