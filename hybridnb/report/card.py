"""The model card of an encoder that was trained here: what it is, how it is used, how good and how fair it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from huggingface_hub import ModelCard, ModelCardData

from hybridnb import corpora
from hybridnb.debiasing.maps import Debiasing
from hybridnb.encoders.known import ENCODERS
from hybridnb.measures.catalogue import MAIN
from hybridnb.measures.metrics_file import unpack
from hybridnb.registry import Registry
from hybridnb.report.tables.headline import headline_table
from hybridnb.report.tables.text import as_text, render
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED
from hybridnb.training.strategies import Strategy

TAGS = ["sentence-transformers", "sentence-similarity", "feature-extraction", "multilingual", "hybridnb"]
MEASURED = (
    "Ranks are exact, over whole pools. *Mo*: queries and candidates of one language; *Cr*: of two, over all pairs; "
    "*Mul*: candidates of all languages in one pool. *Rank distance*, the bias: ranks between the best and the worst "
    "placed translation of an answer in that pool, the less the fairer."
)
ONNX = (
    "\n\n`onnx/model.onnx` is the transformer alone, token ids and mask to the vectors of tokens: pooling and what "
    "else `modules.json` names follow it."
)
TESTED = "What is the capital of Peru?", "Lima ist die Hauptstadt von Peru.", "El río nace en la sierra."
"""Of the example: a query, and passages in other languages."""


def model_card(
    run: Run,
    name: str,
    conventions: Mapping[str, Any],
    debiasing: Debiasing | None = None,
    *,
    onnx: bool = False,
) -> str:
    """README.md of the directory that `export` writes.

    Args:
        run: The encoder's.
        name: Of the directory, which the example loads.
        conventions: Of the `DualEncoder`.
        debiasing: What stands behind the encoder; results with it are those of the run, if it was debiased with this.
        onnx: Whether there is onnx/ too.
    """
    info = run.info
    data = ModelCardData(
        language=info["languages"],
        license=_licence(info),
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=TAGS,
        datasets=_hub_datasets(info["settings"]["corpus"]["training"]) or None,
        base_model=_base(info),
    )
    use = _conventions(conventions, debiasing) + (ONNX if onnx else "")
    sections = [
        f"# {name}\n\n{_about(run, info, debiasing)}",
        f"## How to use\n\n```python\n{_example(name)}\n```\n\n{use}",
        f"## Data\n\n{_data(info)}",
        f"## Results\n\n{MEASURED}\n\n{_results(run, debiasing)}",
        f"## How it was made\n\n{_made(info, debiasing)}",
    ]
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _about(run: Run, info: Mapping[str, Any], debiasing: Debiasing | None) -> str:
    model = info["settings"]["encoder"]["model"]
    built = model in ENCODERS and ENCODERS[model].build
    base = "a small encoder from random weights" if built else _base(info) or Path(model).name
    languages = f"{len(info['languages'])} languages ({', '.join(info['languages'])})"
    text = f"A multilingual dense retriever: {base}"
    if run.strategy == NOT_TRAINED:
        text += ", not fine-tuned."
    else:
        text += (
            f", trained on {info['pairs_seen']:,} pairs of query and passage in {languages} under the batch "
            f"strategy **{run.strategy}**: {Strategy.parse(run.strategy).recipe.about}."
        )
    if debiasing:
        text += (
            f" Behind it stands `{debiasing.method}`: a linear map for queries and one for passages that take "
            f"out what tells their language, fitted to {debiasing.made_of['sentences']:,} parallel sentences."
        )
    return text


def _example(name: str) -> str:
    query, *passages = TESTED
    lines = "\n".join(f'        "{passage}",' for passage in passages)
    return f"""from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{name}")  # this directory, or its name on the hub
queries = model.encode_query(["{query}"])
passages = model.encode_document(
    [
{lines}
    ]
)
print(model.similarity(queries, passages))"""


def _conventions(conventions: Mapping[str, Any], debiasing: Debiasing | None) -> str:
    prefixes = [conventions[f"{kind}_prefix"] for kind in ("query", "passage")]
    put = f"put `{prefixes[0]}` before queries and `{prefixes[1]}` before passages" if any(prefixes) else ""
    do = " and ".join(filter(None, [put, "map each side by its own map" if debiasing else ""]))
    return (
        f"`encode_query` and `encode_document` {do or 'take texts as they are'}. Queries are cut to "
        f"{conventions['max_query_length']} tokens and passages to {conventions['max_passage_length']}, pooled "
        f"by {conventions['pooling']}, compared by {conventions['similarity']}."
    )


def _data(info: Mapping[str, Any]) -> str:
    parts = zip(info["corpora"].items(), (corpora.TRAINING, corpora.VALIDATION), strict=False)
    rows = [
        (name, f"{part['items']:,}", *_told(name.partition(":")[0], kind)) for (name, part), kind in parts
    ]
    table = pd.DataFrame(rows, columns=["data", "items", "what it is", "licence"])
    return table.to_markdown(index=False, disable_numparse=True)


def _results(run: Run, debiasing: Debiasing | None) -> str:
    found = {"": run.metrics} if (run.directory / "metrics.json").is_file() else {}
    parts = [] if found else ["Not evaluated."]
    if debiasing:
        with_it = run.debiased(debiasing.method)
        if (with_it.directory / "metrics.json").is_file() and _is(debiasing, with_it.directory):
            found[f", {debiasing.method}"] = with_it.metrics
        else:
            parts.append(f"Not evaluated with `{debiasing.method}`.")
    for benchmark in dict.fromkeys(name for metrics in found.values() for name in metrics):
        what, licence = _told(benchmark, corpora.BENCHMARKS)
        pool = f"; {run.pool(benchmark):,} candidates" if run.is_compared(benchmark) else ""
        of = {said: metrics[benchmark] for said, metrics in found.items() if benchmark in metrics}
        last = list(of)[-1]
        parts += [
            f"### {benchmark}\n\n{what} (licence: {licence}){pool}.",
            render(headline_table({f"{benchmark}{said}": of[said] for said in of}), "markdown"),
            f"By language of the query{last}:",
            render(_by_language(of[last]), "markdown"),
        ]
    return "\n\n".join(parts)


def _is(debiasing: Debiasing, directory: Path) -> bool:
    """Whether it is the one in a directory, not another of its method."""
    return (directory / "debiasing.json").is_file() and Debiasing.load(directory).sha256 == debiasing.sha256


def _by_language(metrics: Mapping[str, Any]) -> pd.DataFrame:
    """The main measures by language of the query; of the cross-lingual task means over the candidates' languages."""
    table = unpack(metrics)
    columns = {
        label: measure.rows(table).groupby("query_language")["value"].mean()
        for label, measure in MAIN.items()
    }
    return as_text(pd.DataFrame({label: values for label, values in columns.items() if len(values)}))


def _made(info: Mapping[str, Any], debiasing: Debiasing | None) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in info["versions"].items() if version)
    settings: dict[str, Any] = {
        section: {key: _without_place(value) for key, value in values.items()}
        for section, values in info["settings"].items()
    }
    if debiasing:
        kept = ("method", "strength", "languages", "sentences", "sets")
        settings["debiasing"] = {key: debiasing.made_of[key] for key in kept if key in debiasing.made_of}
    return (
        f"By hybridnb, revision {info['code']}: study {info['study']}, strategy {info['strategy']}, seed "
        f"{info['seed']}; the weights of step {info['best_step']} of {info['steps']}, in {info['seconds']:.0f} s on "
        f"{info['device']}, with {versions}. Batch strategies: "
        "[arXiv 2408.10536](https://arxiv.org/abs/2408.10536).\n\n"
        f"```json\n{json.dumps(settings, ensure_ascii=False, indent=1)}\n```"
    )


def _without_place(value: Any) -> Any:
    """A file or directory by its name: where it lies is nobody's business."""
    return Path(value).name if isinstance(value, str) and Path(value).expanduser().is_absolute() else value


def _told(name: str, kind: Registry[Any]) -> tuple[str, str]:
    """(what a data set is, its licence)."""
    if name not in kind:
        return "data of one's own", "not stated"
    data_set = kind[name]
    home = f"; {data_set.source.about}" if data_set.source else ""
    return data_set.about + home, data_set.licence


def _hub_datasets(training: str) -> list[str]:
    """The hub's names of what was trained on."""
    source = corpora.TRAINING[training].source if training in corpora.TRAINING else None
    urls = [file.url or "" for file in source.files] if source else []
    named = (url.removeprefix("hf://datasets/").partition("@")[0] for url in urls if url.startswith("hf://"))
    return list(dict.fromkeys(named))


def _base(info: Mapping[str, Any]) -> str | None:
    """What the hub calls the encoder that was trained; None for one that it does not have."""
    model = info["settings"]["encoder"]["model"]
    if model in ENCODERS:
        return ENCODERS[model].base
    return model if info["model"].get("revision") else None


def _licence(info: Mapping[str, Any]) -> str | None:
    """The licence of the encoder that was trained, as far as it is known here."""
    model = info["settings"]["encoder"]["model"]
    if model in ENCODERS:
        return ENCODERS[model].licence
    own = Path(model).expanduser() / "README.md"
    return ModelCard.load(own).data.license if own.is_file() else None
