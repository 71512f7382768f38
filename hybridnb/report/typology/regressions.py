"""What explains gains: regressions on what is known of pairs of languages, tested by permuting languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from hybridnb.measures import mantel
from hybridnb.measures.significance import LEVEL, holm
from hybridnb.report.typology.gains import BEGAN, matrix, unordered

OUTCOMES = ("before", "after", "gain", "gain, given before")


def explained(
    gained: Mapping[str, pd.DataFrame],
    predictors: Mapping[str, pd.DataFrame],
    together: Sequence[str] = (),
    permutations: int = mantel.PERMUTATIONS,
) -> pd.DataFrame:
    """Is what pairs have before, what they have after, and what they gain explained? See `mantel.regression`.

    Pairs that have least before can gain most. So the gain is also explained beside what was there before: what of it
    goes by the distance of the languages is then not merely that distant ones begin lower.

    Args:
        gained: system -> `gains.gains`.
        predictors: of `distances.predictors`.
        together: those that are put into one regression; left out, each is tested by itself.
        permutations: of each test.

    Returns:
        Index (system, of, predictor), of: out of `OUTCOMES`; slope, low, high, p, least, and p_holm, corrected for all
        predictors of one outcome of a system. No rows where there are too few languages to tell.
    """
    sets = (
        [[name for name in together if name in predictors]] if together else [[name] for name in predictors]
    )
    parts = {}
    for (system, table), of in product(gained.items(), OUTCOMES):
        response = matrix(table, of.partition(",")[0])
        if len(response) < mantel.LEAST or not any(sets):
            continue
        began = matrix(table, "before")
        beside = {BEGAN: (began + began.T) / 2} if of == OUTCOMES[-1] else {}
        tests = [
            mantel.regression(
                response, {**{name: predictors[name] for name in names}, **beside}, permutations
            )
            for names in sets
        ]
        found = pd.concat(tests).drop(BEGAN, errors="ignore")
        known = found["p"].notna()
        found.loc[known, "p_holm"] = holm(found.loc[known, "p"].to_numpy())
        parts[system, of] = found
    columns = ["slope", "low", "high", "p", "least", "p_holm"]
    index = pd.MultiIndex.from_arrays([[], [], []], names=["system", "of", "predictor"])
    return pd.concat(parts, names=["system", "of"]) if parts else pd.DataFrame(columns=columns, index=index)


def sure(explained: pd.DataFrame) -> pd.Series[bool]:
    """Which slopes are found both ways: corrected p below .05, and 0 outside the interval over languages."""
    return (explained["p_holm"] < LEVEL) & ((explained["low"] > 0) | (explained["high"] < 0))


def as_text(explained: pd.DataFrame) -> pd.DataFrame:
    """`explained` to be read: slope, its interval and p (Holm), starred where it is `sure`; a column a system."""
    values = explained[["slope", "low", "high", "p_holm"]].to_numpy(np.float64).tolist()
    text = [
        f"{slope:+.2f} [{low:+.2f}, {high:+.2f}] p {'<.001' if p < 0.0005 else f'{p:.3f}'}{'*' if star else ''}"
        for (slope, low, high, p), star in zip(values, sure(explained), strict=True)
    ]
    return pd.Series(text, explained.index, dtype=object).unstack("system", sort=False)


def findings(explained: pd.DataFrame, label: str, grouped: pd.DataFrame) -> list[str]:
    """What was found of one label of `values.PAIRS`, in sentences.

    Args:
        explained: each predictor by itself.
        label: whose gains.
        grouped: of `gains.group_gains`, with a group "all"; may be empty.
    """
    sentences = []
    keys = pd.DataFrame(explained.index.to_list(), columns=["system", "of", "predictor"])
    for system in dict.fromkeys([*grouped["system"], *keys["system"]]):
        rows = grouped[(grouped["system"] == system) & (grouped["group"] == "all")]
        sentences += [
            f"{system}, mean gain in {label}: {row.gain:+.3f} [{row.low:+.3f}, {row.high:+.3f}]."
            for row in rows.itertuples()
        ]
        for of in ("gain", "gain, given before"):
            chosen = ((keys["system"] == system) & (keys["of"] == of)).to_numpy()
            tested = explained[chosen].droplevel(["system", "of"]).sort_values("p")
            found = tested[sure(tested)]
            told = [
                f"{row.Index} (slope {row.slope:+.2f}, p {row.p:.3f}, corrected {row.p_holm:.3f})"
                for row in (found if len(found) else tested.head(1)).itertuples()
            ]
            if told:
                how = (
                    f"{len(found)} of {len(tested)} are sure: "
                    if len(found)
                    else "none is sure; the nearest is "
                )
                sentences.append(f"{system}, what goes along with the {of}: {how}{', '.join(told)}.")
    return sentences


def power(gained: Mapping[str, pd.DataFrame], predictors: Mapping[str, pd.DataFrame], features: str) -> str:
    """How large a correlation must be to be found four times in five, in a sentence; "" where it cannot be told."""
    found = {}
    for system, table in gained.items():
        response = matrix(table, "gain")
        known = (response.notna() | response.T.notna()).to_numpy().sum()
        whole = known == len(response) * (len(response) - 1)
        if features in predictors and len(response) >= mantel.LEAST and whole:
            level = LEVEL / len(predictors)
            found[system] = [
                mantel.resolvable(response, predictors[features], level=p) for p in (LEVEL, level)
            ]
    if not found:
        return ""
    count = len(matrix(next(iter(gained.values())), "gain"))
    told = "; ".join(f"{one:.2f} and {all_of:.2f} ({system})" for system, (one, all_of) in found.items())
    return (
        f"{count} languages are {count * (count - 1) // 2} pairs, but no more than {count} independent units. "
        f"Found four times in five is a correlation with {features} of, in a single test and in one of "
        f"{len(predictors)}: {told}. A smaller one may well be there and not be seen."
    )


def scatter(
    gained: Mapping[str, pd.DataFrame],
    predictors: Mapping[str, pd.DataFrame],
    features: str,
    explained: pd.DataFrame,
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """What `figures.gains.gain_scatter` draws: system -> pairs, and system -> slope and p."""
    if features not in predictors:
        return {}, {}
    distance, unseen = predictors[features], predictors.get("unseen", predictors[features] * 0)
    tables = {name: unordered(table, distance=distance, unseen=unseen) for name, table in gained.items()}
    rows = explained.xs(("gain", features), level=("of", "predictor")) if len(explained) else explained
    notes = {str(name): f"r = {row.slope:+.2f}, p = {row.p:.3f}" for name, row in rows.iterrows()}
    return tables, notes
