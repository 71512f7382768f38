"""A system on a benchmark: checked, ranked and kept, in one call; several processes encode together."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.languages import predicted
from hybridnb.corpora.sentences import Sides
from hybridnb.debiasing.maps import Debiasing
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.foreign import ForeignEncoder
from hybridnb.files import locked, sha256_of
from hybridnb.retrieval.embeddings import encode_share
from hybridnb.retrieval.mapped import mapped
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.ranks_table import Task
from hybridnb.retrieval.vectors import Vectors
from hybridnb.study.results import check_results, keep_of_vectors, keep_results
from hybridnb.study.runs import DEBIASED
from hybridnb.study.systems import Encoded, Given, Runs, System, as_system
from hybridnb.training.processes import first_says, is_first, launched, training_processes


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
            ranks/NAME.answers.parquet (see `results.parallel_answers`).
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
    entry = made.entry
    if name:
        entry["encoder"]["model"] = name
    _check_asked(made, entry["encoder"]["model"], trec, debiasings)
    of_debiased = [debiased_entry(entry, one, benchmark, predict_languages) for one in debiasings]
    places = [out, *(out / DEBIASED / one.method for one in debiasings)]

    def check() -> None:
        for directory, of in zip(places, (entry, *of_debiased), strict=True):
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
        keep_of_vectors(out, benchmark, *ranked.vectors)
    # metrics.json, which it ends with, says that the system is evaluated: what follows is optional
    result = keep_results(out, {**entry, **ranked.made_of}, benchmark, ranked.table, trained)
    if trec and ranked.trec:
        with locked(out):
            ranked.trec(out / "trec", trec, entry["encoder"]["model"])
    if ranked.vectors:
        for one, directory, of in zip(debiasings, places[1:], of_debiased, strict=True):
            sides = _debiased_vectors(benchmark, *ranked.vectors, one, predict_languages)
            keep_results(directory, of, benchmark, exact_ranks(benchmark, *sides), trained)
    shutil.rmtree(for_now, ignore_errors=True)
    return result


def _check_asked(made: System, name: str, trec: int | None, debiasings: Sequence[Debiasing]) -> None:
    """ValueError: something is asked of a system that it does not have."""
    if trec is not None and trec < 1:
        raise ValueError(f"trec is {trec}: give the number of candidates a query, 1 or more")
    if trec is not None and isinstance(made, Runs):
        raise ValueError(f"{made.paths[0]} is a TREC run already: leave trec out")
    if debiasings and not isinstance(made, Encoded | Given):
        raise ValueError(f"{name} has no vectors that could be debiased")


def _debiased_vectors(
    benchmark: Benchmark, queries: Vectors, candidates: Vectors, debiasing: Debiasing, predict_languages: bool
) -> tuple[Vectors, Vectors]:
    """Of queries and of candidates; where it is asked for, a library tells their languages to maps that need them."""
    of_queries, of_candidates = None, None
    if predict_languages and debiasing.needs_language:
        among = debiasing.languages
        of_queries = {code: predicted(side.texts, among) for code, side in benchmark.queries.items()}
        of_candidates = {code: predicted(texts, among) for code, texts in benchmark.candidates.items()}
    return (
        mapped(queries, debiasing, "query", of_queries),
        mapped(candidates, debiasing, "passage", of_candidates),
    )


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
