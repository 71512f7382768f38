"""A system on a benchmark: its ranks table on disk, its metrics beside it, and what made them."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.languages import predicted
from hybridnb.corpora.sentences import Sides
from hybridnb.debiasing.maps import Debiasing
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.foreign import ForeignEncoder
from hybridnb.files import atomic, file_sha256, locked, sha256_of, write_json, write_text
from hybridnb.measures.bias import pool_sizes
from hybridnb.measures.metrics_file import pack, read_metrics
from hybridnb.measures.questions_file import write_questions
from hybridnb.retrieval.embeddings import encode_share
from hybridnb.retrieval.mapped import Languages, mapped
from hybridnb.retrieval.nearest import top_languages
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.ranks_table import Task, write_ranks
from hybridnb.retrieval.vectors import Vectors
from hybridnb.study.identity import differences
from hybridnb.study.provenance import provenance
from hybridnb.study.runs import DEBIASED, read_evaluations
from hybridnb.study.systems import Encoded, Given, Runs, as_system
from hybridnb.training.processes import first_says, is_first, launched, training_processes

ANSWERS = 12
"""Parallel answers whose vectors are kept, to be drawn."""

FIRST = 10
"""Candidates whose languages are counted."""


def evaluate(
    system: Any,
    benchmark: Benchmark,
    out: str | Path,
    *,
    name: str | None = None,
    task: Task | None = None,
    trec: int | None = None,
    cache: Path | None = None,
    debiasings: Sequence[Debiasing] = (),
    predict_languages: bool = False,
    trained: Sequence[str] = (),
    together: bool = False,
) -> dict[str, Any]:
    """All three tasks of a benchmark in one call; what was computed is written before what is optional.

    Args:
        system: a `DualEncoder`; the name or directory of a model (see `foreign.load_encoder`); a SentenceTransformer
            or any object with `encode(texts) -> array [texts, d]`, or `encode_query` and `encode_document`; the path
            of vectors, .npz or .safetensors (see `given.read_vectors`); a list of paths of TREC runs (see
            `trec_read.read_runs`), whose tasks are what they hold; or "bm25".
        benchmark: the data.
        out: gets ranks/NAME.parquet (the ranks table), metrics.json (benchmark -> task -> metric -> macro-average
            over languages or pairs, and under "by_language" the same for each), questions/NAME.parquet (what each
            question adds to the main measures; see `questions_file`) and evaluations.json (what made them); of what
            has vectors also ranks/NAME.top10.csv (share of each candidate language among the first ten) and
            ranks/NAME.answers.parquet (see `parallel_answers`).
        name: what results call the system; an object of the user's own needs one.
        task: of TREC runs, where it is not to be found from them.
        trec: also write TREC runs and qrels of so many candidates a query, out/trec/NAME.TASK.run and .qrels (see
            `trec_write.write_trec`).
        cache: of `encode_benchmark`, for a `DualEncoder`. Without a cache vectors are kept in out/vectors-NAME until
            all is written, so that an encoding that was killed goes on.
        debiasings: also evaluate the system with each of these put on its vectors: out/debiased/METHOD gets ranks,
            metrics.json and evaluations.json of its own.
        predict_languages: tell the languages of texts to those that need them by a library, not by the benchmark.
        trained: languages that the system was trained on; given, questions/NAME.parquet also has the values of
            queries and pairs with another language alone.
        together: called by all processes that a launcher started: each encodes its share, the first does the rest.

    Returns:
        The benchmark's part of metrics.json; of several processes, in the first.

    Raises:
        ValueError: it is no system, gives vectors that are none, or `out` holds another system's results, or results
            on other data of the same name; a debiasing is not for this system or was fitted to the benchmark's texts.
        OSError: `out` cannot be written; this is tried first.
    """
    out, made = Path(out), as_system(system, name, task)
    if trec is not None and trec < 1:
        raise ValueError(f"trec is {trec}: give the number of candidates a query, 1 or more")
    if trec is not None and isinstance(made, Runs):
        raise ValueError(f"{made.paths[0]} is a TREC run already: leave trec out")
    entry = made.entry
    if name:
        entry["encoder"]["model"] = name
    if debiasings and not isinstance(made, Encoded | Given):
        raise ValueError(f"{entry['encoder']['model']} has no vectors that could be debiased")
    debiased = [
        (one, out / DEBIASED / one.method, debiased_entry(entry, one, benchmark, predict_languages))
        for one in debiasings
    ]

    def check() -> None:
        for directory, of in ((out, entry), *(part[1:] for part in debiased)):
            with locked(directory):
                check_results(directory, of, benchmark)

    for_now = place_of_vectors(out, benchmark)
    is_ours = isinstance(made, Encoded) and isinstance(made.encoder, DualEncoder)
    kept = cache if cache and is_ours else for_now
    if together:
        first_says(check)
        if isinstance(made, Encoded):
            encode_together(made.encoder, benchmark, cache=kept)
        if not is_first():
            return {}
    else:
        check()
    ranked = made.rank(benchmark, kept)
    if ranked.vectors:
        queries, candidates = ranked.vectors
        shares = top_languages(benchmark, queries, candidates, k=FIRST)
        with locked(out):
            with atomic(out / "ranks" / f"{benchmark.name}.answers.parquet") as part:
                parallel_answers(benchmark, candidates, ANSWERS).to_parquet(part)
            write_text(out / "ranks" / f"{benchmark.name}.top10.csv", shares.to_csv(index=False))
    # last: metrics.json, which it ends with, says that the system is evaluated
    result = keep_results(out, {**entry, **ranked.made_of}, benchmark, ranked.table, trained)
    if trec and ranked.trec:
        with locked(out):
            ranked.trec(out / "trec", trec, entry["encoder"]["model"])
    if ranked.vectors:
        for one, directory, of in debiased:
            among = one.languages if predict_languages and one.needs_language else ()
            asked = {language: queries.texts for language, queries in benchmark.queries.items()}
            sides = (
                mapped(queries, one, "query", _predicted(asked, among)),
                mapped(candidates, one, "passage", _predicted(benchmark.candidates, among)),
            )
            keep_results(directory, of, benchmark, exact_ranks(benchmark, *sides), trained)
    shutil.rmtree(for_now, ignore_errors=True)
    return result


def place_of_vectors(out: Path, benchmark: Benchmark) -> Path:
    """Where vectors are kept while a benchmark is evaluated."""
    return out / f"vectors-{benchmark.name}"


def encode_together(
    encoder: DualEncoder | ForeignEncoder,
    benchmark: Benchmark,
    sets: Sequence[Sides] = (),
    *,
    cache: Path,
) -> None:
    """Encode into a cache what the first process will look for there: of several, each its share; ends when all have.

    Args:
        encoder, benchmark, sets, cache: as of `embeddings.encode_share`.
    """
    if not launched():
        return
    state = training_processes()
    encode_share(
        encoder, benchmark, sets, cache=cache, process=state.process_index, processes=state.num_processes
    )
    state.wait_for_everyone()


def debiased_entry(
    system: Mapping[str, Any], debiasing: Debiasing, benchmark: Benchmark, predict_languages: bool = False
) -> dict[str, Any]:
    """What evaluations.json says of a system with a debiasing put on its vectors.

    Args:
        system: its own entry.
        debiasing, benchmark, predict_languages: as of `evaluate`.

    Raises:
        ValueError: its vectors are not compared by cosine, or the debiasing was fitted to texts of the benchmark.

    Warns:
        UserWarning: the debiasing was fitted to the vectors of another encoder.
    """
    encoder, fitted = system["encoder"], debiasing.made_of
    if encoder.get("similarity", "cosine") != "cosine":
        raise ValueError(
            f"{encoder['model']} is compared by {encoder['similarity']!r}; debiasings are for cosine"
        )
    if seen := corpora.sentences_in(benchmark.name) & set(fitted.get("sets", ())):
        raise ValueError(
            f"{debiasing.method} was fitted to {min(seen)}, whose sentences {benchmark.name} has: fit it to others"
        )
    if fitted.get("encoder_sha256", system["encoder_sha256"]) != system["encoder_sha256"]:
        warnings.warn(
            f"{debiasing.method} was fitted to the vectors of another encoder than {encoder['model']}, or in another "
            "precision",
            stacklevel=3,
        )
    told = {"text_languages": "predicted"} if predict_languages and debiasing.needs_language else {}
    return {
        "encoder": {**encoder, "debiasing": {**fitted, **told}},
        "encoder_sha256": sha256_of([system["encoder_sha256"], debiasing.sha256, *told]),
    }


def _predicted(texts: Mapping[str, Sequence[str]], among: Sequence[str]) -> Languages | None:
    return {code: predicted(of_code, among) for code, of_code in texts.items()} if among else None


def check_results(out: Path, system: Mapping[str, Any], benchmark: Benchmark) -> dict[str, Any]:
    """The entries of out/evaluations.json, if this system's results on this benchmark may stand beside them.

    Raises:
        ValueError: they may not; the message says what the directory holds, and in what it differs.
    """
    known = read_evaluations(out)
    metrics = read_metrics(out) if (out / "metrics.json").is_file() else {}
    if unknown := sorted(metrics.keys() - known.keys()):
        raise ValueError(
            f"{out} has a metrics.json, but no evaluations.json that says of what it holds on {unknown[0]}: "
            "choose another directory"
        )
    for name, other in known.items():
        if other.encoder_sha256 != system["encoder_sha256"]:
            found = differences(other.encoder, system["encoder"]) or [
                "the vectors: weights, tokenizer or what else makes them"
            ]
            raise ValueError(
                f"{out} holds the results of another encoder ({other.encoder.get('model')}, on {name}; different: "
                f"{'; '.join(found[:3])}): choose another directory"
            )
    mine = known.get(benchmark.name)
    if mine and mine.benchmark_sha256 != benchmark.sha256:
        raise ValueError(
            f"{out} holds results on another {benchmark.name} (sha256 {mine.benchmark_sha256[:12]} there, "
            f"{benchmark.sha256[:12]} here): choose another directory"
        )
    if mine and mine.encoder.get("files") != system["encoder"].get("files"):
        raise ValueError(
            f"{out} holds what {', '.join(mine.encoder.get('files', ()))} gave on {benchmark.name}; these are other "
            "files, or their content is another: choose another directory, or give all files at once"
        )
    return {name: entry.model_dump(exclude_unset=True) for name, entry in known.items()}


def keep_results(
    out: Path,
    system: Mapping[str, Any],
    benchmark: Benchmark,
    ranks: pd.DataFrame,
    trained: Sequence[str] = (),
) -> dict[str, Any]:
    """Write a ranks table and what its questions add, and bring evaluations.json and metrics.json up to date.

    What others wrote there stays. `trained` is as of `evaluate`.
    """
    file, questions = (out / kind / f"{benchmark.name}.parquet" for kind in ("ranks", "questions"))
    with locked(out):
        known = check_results(out, system, benchmark)
        metrics = read_metrics(out) if (out / "metrics.json").is_file() else {}
        metrics[benchmark.name] = pack(ranks)
        write_ranks(file, ranks)
        write_questions(questions, ranks, trained)
        made = {
            "benchmark_sha256": benchmark.sha256,
            "ranks_sha256": file_sha256(file),
            "questions_sha256": file_sha256(questions),
            "trained": sorted(trained),
            "pools": pool_sizes(ranks),
        }
        write_json(out / "evaluations.json", {**known, benchmark.name: {**system, **made, **provenance()}})
        write_json(out / "metrics.json", metrics)  # last: it says what is done
    result: dict[str, Any] = metrics[benchmark.name]
    return result


def parallel_answers(benchmark: Benchmark, candidates: Vectors, count: int) -> pd.DataFrame:
    """Vectors of the answers to `count` queries, evenly spaced among those answered in most languages.

    float32 [texts, d], indexed by (answer, language).
    """
    most = max(map(len, benchmark.relevance.values()))
    parallel = [relevant for relevant in benchmark.relevance.values() if len(relevant) == most]
    chosen = np.linspace(0, len(parallel) - 1, min(count, len(parallel))).astype(int)
    vectors = {
        (answer, language): candidates[language][rows[0]]
        for answer, position in enumerate(chosen)
        for language, rows in parallel[position].items()
    }
    index = pd.MultiIndex.from_tuples(vectors, names=["answer", "language"])
    matrix = np.stack(list(vectors.values()))
    return pd.DataFrame(matrix, index, [str(axis) for axis in range(matrix.shape[1])])
