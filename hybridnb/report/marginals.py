"""What the batches of each strategy are made of: are strategies compared on the same items, sources and languages?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from hybridnb.files import write_text
from hybridnb.places import RESULTS, shipped
from hybridnb.study.data import batches, training_data
from hybridnb.study.finetuning import base_encoder
from hybridnb.study.settings import Study
from hybridnb.training.batching import BatchSampler

FILE = "marginals.csv"
ITEMS, KIND = "distinct items", "kind of batch"


def marginals(samplers: Mapping[str, BatchSampler], steps: int) -> pd.DataFrame:
    """What the first batches of each strategy hold.

    Args:
        samplers: strategy -> its batches.
        steps: how many batches.

    Returns:
        Index (of, value), a column a strategy: the share of each language among the queries and among the passages, of
        each source among the pairs, of batches in one language and in several, and how many different items there are.

    Example:
        >>> from hybridnb.corpora.parallel import Item, ParallelCorpus
        >>> from hybridnb.training.strategies import Strategy
        >>> def texts(n, mark):
        ...     return {code: f"{code} {n}{mark}" for code in ("de", "en")}
        >>> corpus = ParallelCorpus("toy", [Item(f"{n}", "s", f"{n}", texts(n, "?"), texts(n, ".")) for n in range(9)])
        >>> made = {
        ...     name: BatchSampler(corpus, Strategy(name), batch_size=4, seed=0, draws="paired")
        ...     for name in ("X-X-mono", "X-Y")
        ... }
        >>> table = marginals(made, steps=4)
        >>> table.loc[("query language", "de")].tolist(), table.loc[("kind of batch", "one language")].tolist()
        ([0.5, 0.5], [1.0, 0.0])
    """
    columns = {name: _shares(sampler, steps) for name, sampler in samplers.items()}
    table = pd.DataFrame(columns).fillna(0.0)
    return table.rename_axis(["of", "value"]).sort_index()


def _shares(sampler: BatchSampler, steps: int) -> pd.Series[float]:
    counts: Counter[tuple[str, str]] = Counter()
    items: set[int] = set()
    for step in range(steps):
        batch = sampler.batch(step)
        several = len({code for pair in batch for code in pair[1:]}) > 1
        counts[KIND, "several" if several else "one language"] += sampler.batch_size
        for pair in batch:
            counts["query language", pair.query_language] += 1
            counts["passage language", pair.passage_language] += 1
            counts["source", sampler.corpus.items[pair.item].source] += 1
            items.add(pair.item)
    shares = {key: count / (steps * sampler.batch_size) for key, count in counts.items()}
    return pd.Series({**shares, (ITEMS, ""): float(len(items))})


def of_study(study: Study) -> pd.DataFrame:
    """The `marginals` of a study's main runs of seed 0, drawn again as training drew them.

    Args:
        study: whose settings say how it is drawn.

    Raises:
        ValueError, OSError: as `data.training_data`, or the encoder, whose tokens say what may not meet in a batch,
            cannot be read.
    """
    from hybridnb.training.lookalikes import groups_as_read

    corpus, _ = training_data(study)
    encoder = base_encoder(study, corpus, seed=0)
    groups = groups_as_read(corpus, encoder, study.training, study.languages)
    samplers = {name: batches(study, corpus, name, 0, groups) for name in study.strategies}
    return marginals(samplers, study.training.steps)


def in_short(table: pd.DataFrame) -> pd.DataFrame:
    """In what strategies differ.

    Args:
        table: of `marginals`; the strategies to be compared.

    Returns:
        Index of; values (how many there are), largest difference (between two strategies, of a share; of items, of
        their number) and the same for all ("yes" or "no").
    """
    gap = (table.max(axis=1) - table.min(axis=1)).groupby(level="of", sort=False)
    found = pd.DataFrame({"values": gap.size(), "largest difference": gap.max()})
    # shares are counts over one number: what differs in rounding only is the same
    found["the same for all"] = found["largest difference"].lt(1e-9).map({True: "yes", False: "no"})
    return found


def record(study: Study) -> pd.DataFrame:
    """`of_study`, kept as marginals.csv in data/results/STUDY."""
    table = of_study(study)
    write_text(RESULTS / study.name / FILE, table.to_csv())
    return table


def recorded(study: Study) -> pd.DataFrame | None:
    """What `record` kept; None where it was not run.

    Raises:
        ValueError: the file is damaged.
    """
    file = RESULTS / study.name / FILE
    if not file.is_file():
        file = shipped(file)
    if not file.is_file():
        return None
    try:
        table = pd.read_csv(file, keep_default_na=False).set_index(["of", "value"])
        return table.astype("float64")
    except (ValueError, KeyError) as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{file} is damaged ({why}): run `hybridnb record {study.name}` again") from None
