"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from hybridnb.training.strategies import spellings

StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="quick, another built-in study, or a .toml file")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="any setting, e.g. training.steps=1000; repeatable"),
]
Strategies = Annotated[
    list[str] | None,
    typer.Option("--strategy", metavar="NAME", help=f"only this: {', '.join(spellings())}; repeatable"),
]
Seeds = Annotated[list[int] | None, typer.Option("--seed", metavar="N", help="only this seed; repeatable")]
Data = Annotated[
    str | None, typer.Option(help="directory of data files (else HYBRIDNB_DATA, cache, public home)")
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="count and list bad rows of data files instead of stopping")
]
OF_A_STUDY = {
    "corpus": Annotated[
        str | None,
        typer.Option(help="train on this instead: a name, a JSONL, CSV or Parquet file, or a directory"),
    ],
    "benchmark": Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="evaluate on this instead, a name or path; repeatable"),
    ],
    "model": Annotated[str | None, typer.Option(help="fine-tune this encoder instead")],
    "setting": Settings,
}
OF_A_MODEL = {
    "pooling": Annotated[str | None, typer.Option(help="mean, cls or last, instead of the model's own")],
    "query_prefix": Annotated[str | None, typer.Option(help="instead of the model's own")],
    "passage_prefix": Annotated[str | None, typer.Option(help="instead of the model's own")],
    "max_query_length": Annotated[int | None, typer.Option(help="in tokens")],
    "max_passage_length": Annotated[int | None, typer.Option(help="in tokens")],
    "revision": Annotated[str | None, typer.Option(help="on the hub")],
    "precision": Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option(help="of matrix products; else bfloat16 on a GPU that has it and float32 elsewhere"),
    ],
}
Form = Annotated[
    Literal["text", "markdown", "latex", "csv"],
    typer.Option("--format", help="of what is printed; LaTeX needs its package booktabs"),
]
ResultName = Annotated[str | None, typer.Option(help="what results call it")]
ShardPart = Annotated[
    str, typer.Option(metavar="K/N", help="of all shards, the K-th of N parts: for N machines or processes")
]


def share(part: str) -> slice:
    """What of a list is the K-th of N parts, of "K/N"."""
    k, _, n = part.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise ValueError(f"--part {part}: write K/N with K from 1 to N, such as 1/2")
    return slice(int(k) - 1, None, int(n))
