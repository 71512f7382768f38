"""The runs of two systems side by side, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from hybridnb.measures.catalogue import MEASURES
from hybridnb.report.claims.hypotheses import DISTANCE, METHOD, SMALLEST, SMALLEST_DISTANCE, debiased
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED


@dataclass(frozen=True)
class Systems:
    """Runs as systems on benchmarks, each of several seeds, with and without debiasing.

    Args:
        runs: of any strategies.
        fraction: of the data; those on another are left out.
    """

    runs: Sequence[Run]
    fraction: float = 1.0
    _values: dict[tuple[Run, str, bool], pd.DataFrame] = field(default_factory=dict, repr=False)

    @cached_property
    def by_name(self) -> dict[str, dict[int, Run]]:
        """Name -> seed -> what its results are read from."""
        found: dict[str, dict[int, Run]] = {}
        for run in self.runs:
            if run.fraction == self.fraction:
                found.setdefault(run.strategy, {})[run.seed] = run
                found.setdefault(debiased(run.strategy), {})[run.seed] = run.debiased(METHOD)
        return found

    @cached_property
    def trained_languages(self) -> set[str]:
        """Languages that any run was trained on."""
        return {code for run in self.runs for code in run.info["languages"]}

    def of(self, name: str, benchmark: str) -> dict[int, Run]:
        """Seed -> run, of a system's runs whose questions have values on a benchmark."""
        return {seed: run for seed, run in self.by_name.get(name, {}).items() if run.is_compared(benchmark)}

    def matched(self, first: str, second: str, benchmark: str) -> tuple[list[Run], list[Run]]:
        """The runs of two systems, seed by seed; an encoder that is not trained stands against every seed."""
        one, other = self.of(first, benchmark), self.of(second, benchmark)
        seeds = sorted(one.keys() & other.keys())
        alone = [name.partition(" + ")[0] == NOT_TRAINED for name in (first, second)]
        if alone == [True, False]:
            return list(one.values())[:1], [other[seed] for seed in sorted(other)]
        if alone == [False, True]:
            return [one[seed] for seed in sorted(one)], list(other.values())[:1]
        return [one[seed] for seed in seeds], [other[seed] for seed in seeds]

    def values(self, run: Run, benchmark: str, unseen: bool) -> pd.DataFrame:
        """`Run.question_values`; unseen: of queries and pairs with a language that no run was trained on."""
        key = run, benchmark, unseen
        if key not in self._values:
            self._values[key] = run.question_values(benchmark, self.trained_languages if unseen else ())
        return self._values[key]

    def defined(self, benchmark: str, unseen: bool) -> set[str]:
        """The measures that are defined on a benchmark, as far as a run says: there, or in unseen languages there."""
        run = next((run for run in self.runs if run.is_compared(benchmark)), None)
        return set(self.values(run, benchmark, unseen).columns) if run else set(MEASURES)

    def margin(self, label: str, benchmark: str) -> float | None:
        """The smallest effect of interest of a measure on a benchmark; None where it is not known yet."""
        if label != DISTANCE:
            return SMALLEST[label]
        for run in self.of(NOT_TRAINED, benchmark).values():
            values = self.values(run, benchmark, unseen=False)
            return SMALLEST_DISTANCE * float(values[DISTANCE].mean()) if DISTANCE in values else None
        return None
