"""Making the runs of a study: fine-tuning encoders, ranking benchmarks with them; what is there is left alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.debiasing.settings import TRAINING, DebiasingSettings
from hybridnb.files import atomic, locked, write_json, write_text
from hybridnb.places import cache_directory
from hybridnb.study.identity import identity, recorded_identity
from hybridnb.study.plan import (
    claim_name,
    curve_runs,
    methods_by_run,
    recorded_otherwise,
    run_of,
    study_runs,
    sweep_runs,
)
from hybridnb.study.runs import DEBIASED, Run, curves_file, read_evaluations
from hybridnb.study.settings import NOT_TRAINED, Study
from hybridnb.training.batching import BatchSampler
from hybridnb.training.processes import check_shared, first_says, is_first, launched, training_processes
from hybridnb.training.strategies import Strategy

if TYPE_CHECKING:
    from accelerate import PartialState

    from hybridnb.corpora.parallel import ParallelCorpus
    from hybridnb.corpora.sentences import Sides
    from hybridnb.encoders.encoder import DualEncoder
    from hybridnb.training.trainer import Trained

# torch and what needs it are imported where a model is made: a finished study is found finished in a second

ROOM = 4
"""Times the size of an encoder's weights that must be free on the disk: two checkpoints of weights and optimizer."""


def complete(
    study: Study, benchmarks: Sequence[str] = (), sweeps: bool = False, skip_bad: bool = False
) -> list[Run]:
    """The study's main runs, or its sweeps', trained and evaluated: what is missing is made first, and said.

    Args:
        study: what is asked for.
        benchmarks: which; left out, all of the study's.
        sweeps: whether the runs of its sweeps are meant.
        skip_bad: leave bad rows of data files out, counted and listed, instead of stopping.

    Returns:
        The runs, finished.

    Raises:
        ValueError, OSError: as `make`.
    """
    plan: dict[Run, list[str]] = {}
    for name in tuple(benchmarks) or study.benchmarks:
        for run in sweep_runs(study, name) if sweeps else study_runs(study):
            plan.setdefault(run, []).append(name)
    missing = [run for run in plan if not run.is_trained]
    if missing:
        print(
            f"{len(missing)} of {len(plan)} runs are not trained yet; training them first ({_pace(list(plan))}):",
            flush=True,
        )
        for line in dict.fromkeys(filter(None, (recorded_otherwise(study, run) for run in missing))):
            print(line, flush=True)
    make(study, plan, skip_bad=skip_bad)
    return list(plan)


def make(study: Study, plan: Mapping[Run, Sequence[str]], *, skip_bad: bool = False) -> None:
    """Train what is missing of a plan, and evaluate each run when it is trained; under a launcher, at the end.

    All that can fail is tried before the first run. Of several processes each encodes its share of what is evaluated
    on; the first ranks.

    Args:
        study: whose runs they are.
        plan: run -> benchmarks, as `planned` gives it.
        skip_bad: leave bad rows of data files out, counted and listed, instead of stopping.

    Raises:
        ValueError, OSError: as `finetune` and `evaluate_run`, and of a benchmark that cannot be read.
    """
    to_rank = _to_rank(study, plan)
    loaded = check(study, plan, skip_bad=skip_bad)
    rank = _ranking(study, to_rank, loaded, skip_bad)
    for run in plan:
        finetune(study, run.strategy, run.seed, fraction=run.fraction, skip_bad=skip_bad)
        if not launched():
            rank(run)
    # under a launcher only now: in the next training the others would wait for the first, which ranks alone
    for run in plan if launched() else ():
        rank(run)


def _ranking(
    study: Study, to_rank: Mapping[Run, Sequence[str]], loaded: Mapping[str, Benchmark], skip_bad: bool
) -> Callable[[Run], None]:
    """What ranks the benchmarks that a run of a plan lacks; sentences for debiasing are read once, when asked for."""
    methods, curved = methods_by_run(study), set(curve_runs(study))
    sets = cache(partial(debiasing_sentences, study, skip_bad=skip_bad))

    def rank(run: Run) -> None:
        for name in to_rank[run]:
            of_run = sets() if run in methods else []
            of_curve = sets(of_curve=True) if (run, name) in curved else []
            if launched():
                _encode_together(run, loaded[name], methods.get(run, ()), of_run, of_curve)
            if not is_first():
                continue
            print(f"{run.label}: ranking {loaded[name].name}", flush=True)
            evaluate_run(
                run,
                loaded[name],
                study.debiasing,
                methods.get(run, ()),
                of_run,
                of_curve,
                study.languages,
            )

    return rank


def _to_rank(study: Study, plan: Mapping[Run, Sequence[str]]) -> dict[Run, list[str]]:
    """Run -> the benchmarks of a plan that it is to be evaluated on yet, as it is or with one of the debiasings."""

    methods, curved = methods_by_run(study), curve_runs(study)

    def done(run: Run, name: str) -> bool:
        debiased = (run.is_debiased(name, method) for method in methods.get(run, ()))
        tried = (run, name) not in curved or curves_file(run.directory, name).is_file()
        return run.is_trained and run.is_evaluated(name) and all(debiased) and tried

    return first_says(
        lambda: {run: [name for name in names if not done(run, name)] for run, names in plan.items()}
    )


def debiasing_sentences(study: Study, *, skip_bad: bool = False, of_curve: bool = False) -> list[Sides]:
    """What the debiasings of a study are fitted to, or those of its curve; nothing where it has none.

    Args:
        study, skip_bad: as of `training_data`.
        of_curve: whether the curve's are meant.

    Raises:
        ValueError, OSError: as `debiased.read_sets` and `training_data`.
    """
    settings = study.debiasing
    if not settings.methods or (of_curve and not settings.curve.counts):
        return []
    from hybridnb.study.debiased import read_sets

    names = (of_curve and settings.curve.sentences) or settings.sentences
    corpus = training_data(study, skip_bad=skip_bad)[0] if TRAINING in names else None
    limit = None if of_curve else settings.limit
    return read_sets(names, corpus=corpus, languages=settings.languages, limit=limit, skip_bad=skip_bad)


def check(study: Study, plan: Mapping[Run, Sequence[str]], *, skip_bad: bool = False) -> dict[str, Benchmark]:
    """Whether what is missing of a plan can be made of the data: benchmarks read, corpora read, batches filled.

    Args:
        study, plan, skip_bad: as of `make`.

    Returns:
        The benchmarks that a run is to be evaluated on yet, and those that lie at a path, read.

    Raises:
        ValueError, OSError: what cannot be read, or the first strategy that the corpus cannot serve; a run has
            results on what lay at the path of a benchmark earlier.
    """
    names = dict.fromkeys(name for part in _to_rank(study, plan).values() for name in part)
    at_paths = {name for part in plan.values() for name in part if _is_there(name)}
    # a benchmark that cannot be read must not cost a training
    loaded = {
        name: corpora.load_benchmark(name, skip_bad=skip_bad) for name in (*names, *at_paths - names.keys())
    }
    for run, part in plan.items():
        for name in at_paths.intersection(part):
            _check_same(run, loaded[name])
    if names:
        debiasing_sentences(study, skip_bad=skip_bad)
        debiasing_sentences(study, skip_bad=skip_bad, of_curve=True)
    missing = [run for run in plan if not run.is_trained and run.strategy != NOT_TRAINED]
    for fraction in dict.fromkeys(run.fraction for run in missing):
        corpus, _ = training_data(study.with_fraction(fraction), skip_bad=skip_bad)
        for strategy in dict.fromkeys(run.strategy for run in missing if run.fraction == fraction):
            batches(study, corpus, strategy, 0)
    return loaded


def _is_there(benchmark: str) -> bool:
    return corpora.is_path(benchmark) and Path(benchmark).exists()


def _check_same(run: Run, benchmark: Benchmark) -> None:
    """ValueError: the run has results on another benchmark of this name."""
    made = read_evaluations(run.directory).get(benchmark.name)
    if made and made.benchmark_sha256 != benchmark.sha256:
        raise ValueError(
            f"{run.directory} holds results on another {benchmark.name} than lies there now: give the study another "
            "name, --set name=NEW, or put back what was evaluated on"
        )


def _pace(runs: Sequence[Run]) -> str:
    took = [run.info["seconds"] for run in runs if run.is_trained and not run.info["resumed_at_step"]]
    return f"about {sum(took) / len(took):.0f} s each, as the last ones took" if took else "some minutes each"


def finetune(
    study: Study, strategy: str, seed: int, *, fraction: float | None = None, skip_bad: bool = False
) -> Run:
    """Fine-tune the study's encoder under a strategy; a finished run is returned as it is, a cut one goes on.

    What `02_finetune` and `hybridnb train` call. A second process that is asked for the same run waits for the first.

    Args:
        study: the settings.
        strategy: as `Strategy.parse` takes it, or NOT_TRAINED, which keeps the encoder as it is.
        seed: of the run.
        fraction: of the training documents; left out, the study's.
        skip_bad: leave bad rows of data files out, counted and listed, instead of stopping.

    Raises:
        ValueError: what the settings ask for cannot be done with this corpus and encoder.
        OSError: a file cannot be read, or what was made cannot be kept.
    """
    strategy = strategy if strategy == NOT_TRAINED else str(Strategy.parse(strategy))
    run = run_of(study, strategy, seed, fraction)
    if first_says(lambda: run.is_trained):
        return run

    # one, unless under accelerate launch or torchrun, where all of them make one run
    processes = training_processes()
    claimed, study = study, study.with_fraction(run.fraction)
    # what cannot be read must neither cost time nor leave anything
    corpus, held_out = training_data(study, skip_bad=skip_bad)
    encoder = base_encoder(study, corpus, seed)
    claim_name(claimed)
    with locked(run.directory, hold=processes.is_main_process):
        if not first_says(lambda: run.is_trained):
            check_shared(run.directory)
            _make(study, run, encoder, corpus, held_out, processes)
    return run


def _make(
    study: Study,
    run: Run,
    encoder: DualEncoder,
    corpus: ParallelCorpus,
    held_out: ParallelCorpus,
    processes: PartialState,
) -> None:
    from hybridnb.study.provenance import provenance

    began, made_with = _now(), provenance()
    if processes.is_main_process:
        _try_to_keep(encoder, run)
    processes.wait_for_everyone()
    languages: tuple[str, ...] = ()
    trained = _untrained()
    if run.strategy != NOT_TRAINED:
        print(f"{run.label}: fine-tuning", flush=True)
        trained, languages = _train(study, run, encoder, corpus, held_out)
    processes.wait_for_everyone()
    if processes.is_main_process:
        info = {
            "study": study.name,
            "strategy": run.strategy,
            "seed": run.seed,
            "languages": languages,
            "settings": study.model_dump(mode="json", include={"corpus", "encoder", "training"}),
            "identity": identity(study, run.strategy, run.seed),
            "corpora": {c.name: {"items": len(c), "sha256": c.sha256} for c in (corpus, held_out)},
            "model": _described(encoder, study),
            "steps": trained.steps,
            "best_step": trained.best_step,
            "pairs_seen": trained.steps * study.training.batch_size,
            "began": began,
            "ended": _now(),
            "seconds": trained.seconds,
            "speed": trained.speed,
            "resumed_at_step": trained.resumed_at,
            **made_with,
        }
        _keep(run, encoder, trained.history, info)
    processes.wait_for_everyone()


def _train(
    study: Study, run: Run, encoder: DualEncoder, corpus: ParallelCorpus, held_out: ParallelCorpus
) -> tuple[Trained, tuple[str, ...]]:
    from hybridnb.training.lookalikes import groups_as_read
    from hybridnb.training.trainer import train, validation_batches

    groups = groups_as_read(corpus, encoder, study.training, study.languages)
    sampler = batches(study, corpus, run.strategy, run.seed, groups)
    validation = validation_batches(held_out, study.training, study.languages or corpus.languages)
    return train(
        encoder, sampler, validation, study.training, run.directory / "checkpoints"
    ), sampler.languages


def batches(
    study: Study, corpus: ParallelCorpus, strategy: str, seed: int, groups: NDArray[np.int64] | None = None
) -> BatchSampler:
    """The batches of a study under a strategy.

    Args:
        groups: as of `BatchSampler`.

    Raises:
        ValueError: the corpus cannot serve the strategy.
    """
    return BatchSampler(
        corpus,
        Strategy.parse(strategy),
        batch_size=study.training.batch_size,
        seed=seed,
        languages=study.languages or None,
        weights=study.corpus.weights,
        groups=groups,
        draws=study.training.draws,
    )


def _untrained() -> Trained:
    from hybridnb.training.trainer import Trained

    return Trained(pd.DataFrame({"step": []}), best_step=0, steps=0, seconds=0.0, resumed_at=0)


def _try_to_keep(encoder: DualEncoder, run: Run) -> None:
    """Save the encoder once before it is trained: what cannot be saved must not cost a training.

    OSError, ValueError: the directory cannot be written, the disk has no room, the network cannot be saved.
    """
    needed = ROOM * sum(weight.nbytes for weight in encoder.parameters())
    free = shutil.disk_usage(run.directory).free
    if free < needed:
        raise OSError(
            f"{run.directory}: {free / 1e9:.1f} GB are free on this disk, and a training keeps up to "
            f"{needed / 1e9:.1f} GB; make room, or set HYBRIDNB_HOME to another disk"
        )
    with atomic(run.directory / "trial") as part:
        encoder.save(part)
    shutil.rmtree(run.directory / "trial")


def _keep(run: Run, encoder: DualEncoder, history: pd.DataFrame, info: dict[str, Any]) -> None:
    """Encoder, history and, last, run.json, which says that all of it is there."""
    with atomic(run.encoder_directory) as part:
        encoder.save(part)
    write_text(run.directory / "history.csv", history.to_csv(index=False))
    write_json(run.directory / "run.json", info)
    shutil.rmtree(run.directory / "checkpoints", ignore_errors=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _described(encoder: DualEncoder, study: Study) -> dict[str, Any]:
    weights = list(encoder.parameters())
    return {
        "name": study.encoder.model,
        "parameters": sum(p.numel() for p in weights),
        "trained": sum(p.numel() for p in weights if p.requires_grad),
        **encoder.conventions,
    }


def training_data(study: Study, *, skip_bad: bool = False) -> tuple[ParallelCorpus, ParallelCorpus]:
    """The corpora of a study.

    Args:
        study: whose settings say what is trained on.
        skip_bad: leave bad rows of data files out, counted and listed, instead of stopping.

    Returns:
        (training, validation); the fraction is of the former alone.

    Raises:
        ValueError: an unknown name, a bad row, or nothing is left of a corpus.
        OSError: a file that is not there, or cannot be read.

    Example:
        >>> corpus, held_out = training_data(Study.load("quick"))
        >>> corpus.name, held_out.name
        ('cldr:train', 'cldr:validation')
    """
    settings = study.corpus
    reading: dict[str, Any] = {"skip_bad": skip_bad}
    if settings.exclude_sources:
        reading["exclude_sources"] = settings.exclude_sources
    if settings.context != "never":
        reading["context"] = settings.context
    corpus = corpora.training_corpus(settings.training, **reading)
    if settings.validation:
        held_out = corpora.validation_corpus(settings.validation, skip_bad=skip_bad)
    else:
        corpus, held_out = corpus.split(settings.held_out)
    if settings.fraction < 1:
        # by another seed than what is held out; a smaller fraction is part of a larger one
        corpus, _ = corpus.split(1 - settings.fraction, seed=1)
    return corpus, held_out


def base_encoder(study: Study, corpus: ParallelCorpus, seed: int) -> DualEncoder:
    """The encoder before fine-tuning: built from the training texts, or loaded. One for all strategies."""
    from hybridnb import encoders

    texts = (text for item in corpus.items for text in (*item.queries.values(), *item.passages.values()))
    return encoders.start(study.encoder, texts, seed)


def evaluate_run(
    run: Run,
    benchmark: str | Benchmark,
    debiasing: DebiasingSettings | None = None,
    methods: Sequence[str] = (),
    sets: Sequence[Sides] = (),
    curve: Sequence[Sides] = (),
    trained: Sequence[str] = (),
) -> None:
    """Rank a benchmark with the run's encoder, as it is and debiased, and keep the ranks and metrics in the run.

    Args:
        run: a trained one.
        benchmark: its name, or itself.
        debiasing: the study's settings.
        methods: of debiasing; each is fitted to the encoder's vectors of the sentences once a run.
        sets: the sentences.
        curve: those that `curves` goes by, where this run has one.
        trained: languages of the study's training; empty means the run's own.

    Raises:
        FileNotFoundError: a recorded run, which has no encoder.
        ValueError: the benchmark or the encoder cannot be read, or the run has results on another such benchmark.
    """
    from hybridnb.study.evaluation import evaluate, place_of_vectors

    encoder = _encoder_of(run, run.info, benchmark if isinstance(benchmark, str) else benchmark.name)
    benchmark = corpora.load_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    debiasings = []
    # where `evaluate` keeps vectors, and takes them away at its end
    kept = place_of_vectors(run.directory, benchmark)
    if methods:
        from hybridnb.study.debiased import of_run

        debiasings = of_run(encoder, sets, methods, run.directory / DEBIASED, kept)
    if debiasing and curve:
        from hybridnb.study.curves import keep_curves

        keep_curves(encoder, benchmark, curve, debiasing, run.directory, kept)
    trained = trained or run.info["languages"]
    # records travel, and paths with them would name one machine
    made_as = f"{run.directory.parent.name}/{run.directory.name}"
    evaluate(encoder, benchmark, run.directory, name=made_as, debiasings=debiasings, trained=trained)


def _encode_together(
    run: Run, benchmark: Benchmark, methods: Sequence[str], sets: Sequence[Sides], curve: Sequence[Sides]
) -> None:
    """Of several processes, each encodes its share of what `evaluate_run` will look for in the first."""
    from hybridnb.study.evaluation import encode_together, place_of_vectors

    def fitted() -> bool:
        return all((run.directory / DEBIASED / method / "debiasing.json").is_file() for method in methods)

    sentences = [*([] if first_says(fitted) else sets), *curve]
    encoder = _encoder_of(run, first_says(lambda: run.info), benchmark.name)
    encode_together(encoder, benchmark, sentences, cache=place_of_vectors(run.directory, benchmark))


def _encoder_of(run: Run, info: Mapping[str, Any], benchmark: str) -> DualEncoder:
    """A trained run's encoder, as it is evaluated. FileNotFoundError: it is recorded, and has none."""
    import torch

    from hybridnb.encoders.encoder import DualEncoder

    if not run.encoder_directory.is_dir():
        raise FileNotFoundError(
            f"{run.directory} is a recorded run: it has no results on {benchmark}, and no encoder to make them with. "
            "Train anew under another name, such as --set name=mine"
        )
    encoder = DualEncoder.load(str(run.encoder_directory))
    settings = recorded_identity(info)["settings"]["encoder"]
    encoder.precision = settings["precision"]
    # an accelerator makes these states faster than a disk gives them back
    if settings["trained_layers"] is not None and not torch.accelerator.is_available():
        encoder.reuse_frozen(settings["trained_layers"], cache_directory() / "trunk")
    return encoder
