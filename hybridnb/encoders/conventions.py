"""How a model wants to be used: pooling, prefixes, maximum lengths; read from its files or from a small table."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

Pooling = Literal["mean", "cls", "pooler"]

OWN_FILE = "hybridnb.json"
"""Written beside the sentence-transformers files, which know one maximum length only."""

QUERY_LENGTH, PASSAGE_LENGTH = 64, 256

_LEGACY_POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True, slots=True)
class Conventions:
    """How texts become vectors. Lengths are in tokens and count the prefix and the special tokens."""

    pooling: Pooling
    query_prefix: str
    passage_prefix: str
    max_query_length: int
    max_passage_length: int

    def __post_init__(self) -> None:
        if self.pooling not in get_args(Pooling):
            raise ValueError(f"pooling is {self.pooling!r}; it must be one of {', '.join(get_args(Pooling))}")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What a model directory says about itself.

    transformer: the directory of the transformers files. dense: the directory of a Dense(h, h, tanh) over
    the CLS token, which is a BERT pooler by another name. own: a complete set of conventions of ours.
    """

    transformer: Path
    pooling: Pooling | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None
    max_length: int | None = None
    dense: Path | None = None
    own: Conventions | None = None
    is_sentence_transformer: bool = False


def read_model_files(directory: Path) -> ModelFiles:
    """Read what a transformers or sentence-transformers directory (2.x to 6.x layouts) says about itself.

    ValueError: a pipeline that this project does not compute (several poolings, a projection to another
    width, lower-casing outside the tokenizer, a router).
    """
    if not (directory / "modules.json").is_file():
        return ModelFiles(directory, own=_own_conventions(directory))
    modules = {}
    for module in _read_json(directory / "modules.json"):
        kind = str(module["type"]).rpartition(".")[2]
        if kind not in ("Transformer", "Pooling", "Dense", "Normalize") or kind in modules:
            raise ValueError(
                f"{directory / 'modules.json'}: module {module['type']} is not supported; the pipeline must be "
                "Transformer, Pooling (cls or mean), optionally Dense (CLS, square, tanh) and Normalize"
            )
        modules[kind] = directory / module["path"]
    transformer = modules["Transformer"]
    settings = _read_json(transformer / "sentence_bert_config.json", {})
    if settings.get("do_lower_case"):
        raise ValueError(f"{transformer / 'sentence_bert_config.json'}: do_lower_case is not supported")
    prompts = _read_json(directory / "config_sentence_transformers.json", {}).get("prompts") or {}
    query = prompts.get("query")
    passage = next((prompts[k] for k in ("passage", "document", "corpus") if prompts.get(k)), None)
    return ModelFiles(
        transformer,
        pooling=_pooling(modules, settings),
        # since version 5 every model is saved with empty prompts: these say nothing
        query_prefix=(query or "") if query or passage else None,
        passage_prefix=(passage or "") if query or passage else None,
        max_length=settings.get("max_seq_length"),
        dense=modules.get("Dense"),
        own=_own_conventions(directory),
        is_sentence_transformer=True,
    )


def conventions_of(name: str, files: ModelFiles, longest: int, given: dict[str, Any]) -> Conventions:
    """Settle the conventions of a model: what is given, else its files, else the table by family.

    name: hub name or path, for the family. longest: tokens the model can take. given: fields of
    Conventions, None where not given. ValueError: a length outside the model's.
    """
    if files.own is not None:
        settled = asdict(files.own)
    else:
        pooling, query_prefix, passage_prefix = _family(name, files)
        limit = min(longest, files.max_length or longest)
        settled = {
            "pooling": files.pooling or pooling,
            "query_prefix": query_prefix if files.query_prefix is None else files.query_prefix,
            "passage_prefix": passage_prefix if files.passage_prefix is None else files.passage_prefix,
            "max_query_length": min(QUERY_LENGTH, limit),
            "max_passage_length": min(PASSAGE_LENGTH, limit),
        }
    settled |= {key: value for key, value in given.items() if value is not None}
    for key in ("max_query_length", "max_passage_length"):
        if not 0 < settled[key] <= longest:
            raise ValueError(f"{key} is {settled[key]}; {name} takes 1 to {longest} tokens")
    return Conventions(**settled)


def write_sentence_transformers_files(
    directory: Path, conventions: Conventions, dimension: int, *, bias: bool = True
) -> None:
    """Write the sentence-transformers pipeline of these conventions beside a saved transformers model.

    Uses the names that every version since 2 reads. The pooler's weights (2_Dense) are the caller's to write.
    """
    package = "sentence_transformers.models"
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    if conventions.pooling == "pooler":
        modules.append(("2_Dense", "Dense"))
    modules.append((f"{len(modules)}_Normalize", "Normalize"))
    _write_json(
        directory / "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": f"{package}.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ],
    )
    for path, _ in modules:
        (directory / path).mkdir(exist_ok=True)
    mode = "mean" if conventions.pooling == "mean" else "cls"
    _write_json(
        directory / "1_Pooling" / "config.json",
        {"word_embedding_dimension": dimension, **{k: v == mode for k, v in _LEGACY_POOLING.items()}},
    )
    if conventions.pooling == "pooler":
        dense: dict[str, Any] = {"in_features": dimension, "out_features": dimension, "bias": bias}
        dense["activation_function"] = "torch.nn.modules.activation.Tanh"
        _write_json(directory / "2_Dense" / "config.json", dense)
    _write_json(
        directory / "sentence_bert_config.json",
        {"max_seq_length": conventions.max_passage_length, "do_lower_case": False},
    )
    prompts = {"query": conventions.query_prefix, "passage": conventions.passage_prefix}
    prompts["document"] = conventions.passage_prefix
    _write_json(
        directory / "config_sentence_transformers.json",
        {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "cosine"},
    )
    _write_json(directory / OWN_FILE, asdict(conventions))


def _family(name: str, files: ModelFiles) -> tuple[Pooling, str, str]:
    """(pooling, query prefix, passage prefix) for a model whose files do not say."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    if "labse" in words:
        return "pooler", "", ""
    if "e5" in words:
        return "mean", "query: ", "passage: "
    if files.is_sentence_transformer:
        return "mean", "", ""
    # XLM-R and every other encoder that was only pre-trained: as arXiv 2408.10536 does
    return "mean", "Query: ", "Passage: "


def _pooling(modules: dict[str, Path], settings: dict[str, Any]) -> Pooling:
    """The pooling that a sentence-transformers pipeline computes."""
    if "Pooling" not in modules:
        output = settings.get("modality_config", {}).get("text", {}).get("method_output_name")
        if output == "pooler_output" and "Dense" not in modules:
            return "pooler"
        raise ValueError(f"{modules['Transformer']}: the pipeline has no Pooling module")
    file = modules["Pooling"] / "config.json"
    config = _read_json(file)
    modes = config.get("pooling_mode") or [mode for key, mode in _LEGACY_POOLING.items() if config.get(key)]
    modes = [modes] if isinstance(modes, str) else list(modes) or ["mean"]
    if modes not in (["cls"], ["mean"]) or config.get("include_prompt") is False:
        raise ValueError(
            f"{file}: pooling {'+'.join(modes)} (include_prompt {config.get('include_prompt', True)}) is not "
            "supported; it must be cls or mean over all tokens, the prompt's included"
        )
    if "Dense" not in modules:
        return "cls" if modes == ["cls"] else "mean"
    file = modules["Dense"] / "config.json"
    dense = _read_json(file)
    square = dense.get("in_features") == dense.get("out_features") and not dense.get("use_residual")
    tanh = str(dense.get("activation_function", "torch.nn.modules.activation.Tanh")).endswith(".Tanh")
    if modes != ["cls"] or not square or not tanh:
        raise ValueError(
            f"{file}: only a square Dense with tanh over the CLS token is supported, as in LaBSE"
        )
    return "pooler"


def _own_conventions(directory: Path) -> Conventions | None:
    file = directory / OWN_FILE
    settings = _read_json(file, None)
    if settings is None:
        return None
    expected = {f.name for f in fields(Conventions)}
    if set(settings) != expected:
        raise ValueError(f"{file}: fields are {sorted(settings)}; they must be {sorted(expected)}")
    return Conventions(**settings)


_NEEDED = object()


def _read_json(file: Path, default: Any = _NEEDED) -> Any:
    if not file.is_file() and default is not _NEEDED:
        return default
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{file} is missing: the model directory is incomplete, save it again"
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{file} is not JSON: {error}") from None


def _write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
