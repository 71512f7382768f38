"""Making the runs of a study: fine-tuning encoders, ranking benchmarks with them; what is there is left alone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.files import atomic, locked, write_json, write_text
from hybridnb.places import cache_directory
from hybridnb.study.identity import identity
from hybridnb.study.plan import claim_name, recorded_otherwise, run_of, study_runs, sweep_runs
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED, Study

if TYPE_CHECKING:
    from accelerate import PartialState

    from hybridnb.corpora.parallel import ParallelCorpus
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
        benchmarks: which; left out, all of the study's.
        skip_bad: leave bad rows of data files out, counted and listed, instead of stopping.
    """
    names = tuple(benchmarks) or study.benchmarks
    wanted = {name: sweep_runs(study, name) if sweeps else study_runs(study) for name in names}
    runs = list(dict.fromkeys(run for part in wanted.values() for run in part))
    missing = [run for run in runs if not run.is_trained]
    to_rank = {
        name: [run for run in part if not run.is_trained or not run.is_evaluated(name)]
        for name, part in wanted.items()
    }
    # a benchmark that cannot be read must not cost a training
    loaded = {name: corpora.load_benchmark(name, skip_bad=skip_bad) for name, part in to_rank.items() if part}
    if missing:
        print(
            f"{len(missing)} of {len(runs)} runs are not trained yet; training them first ({_pace(runs)}):",
            flush=True,
        )
        for line in dict.fromkeys(filter(None, (recorded_otherwise(study, run) for run in missing))):
            print(line, flush=True)
    for run in missing:
        finetune(study.with_fraction(run.fraction), run.strategy, run.seed, skip_bad=skip_bad)
    for name, benchmark in loaded.items():
        for run in to_rank[name]:
            evaluate_run(run, benchmark)
    return runs


def _pace(runs: Sequence[Run]) -> str:
    took = [run.info["seconds"] for run in runs if run.is_trained and not run.info["resumed_at_step"]]
    return f"about {sum(took) / len(took):.0f} s each, as the last ones took" if took else "some minutes each"


def finetune(study: Study, strategy: str, seed: int, *, skip_bad: bool = False) -> Run:
    """Fine-tune the study's encoder under a strategy; a finished run is returned as it is, a cut one goes on.

    What `02_finetune` and `hybridnb train` call. A second process that is asked for the same run waits for the first.

    Args:
        strategy: as `Strategy.parse` takes it, or NOT_TRAINED, which keeps the encoder as it is.
        skip_bad: leave bad rows of data files out, counted and listed, instead of stopping.

    Raises:
        ValueError: what the settings ask for cannot be done with this corpus and encoder.
        OSError: a file cannot be read, or what was made cannot be kept.
    """
    run = run_of(study, strategy, seed)
    if run.is_trained:
        return run
    from hybridnb.training.processes import training_processes

    # one, unless under accelerate launch or torchrun, where all of them make one run
    processes = training_processes()
    # what cannot be read must neither cost time nor leave anything
    corpus, held_out = training_data(study, skip_bad=skip_bad)
    encoder = base_encoder(study, corpus, seed)
    claim_name(study)
    with locked(run.directory, hold=processes.is_main_process):
        processes.wait_for_everyone()
        if not run.is_trained:
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
            "resumed_at_step": trained.resumed_at,
            **made_with,
        }
        _keep(run, encoder, trained.history, info)
    processes.wait_for_everyone()


def _train(
    study: Study, run: Run, encoder: DualEncoder, corpus: ParallelCorpus, held_out: ParallelCorpus
) -> tuple[Trained, tuple[str, ...]]:
    from hybridnb.training.batching import BatchSampler
    from hybridnb.training.lookalikes import groups_as_read
    from hybridnb.training.strategies import Strategy
    from hybridnb.training.trainer import train, validation_batches

    sampler = BatchSampler(
        corpus,
        Strategy.parse(run.strategy),
        batch_size=study.training.batch_size,
        seed=run.seed,
        languages=study.languages or None,
        weights=study.corpus.weights,
        groups=groups_as_read(corpus, encoder, study.training, study.languages),
    )
    validation = validation_batches(held_out, study.training, study.languages or corpus.languages)
    return train(
        encoder, sampler, validation, study.training, run.directory / "checkpoints"
    ), sampler.languages


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
    """(training, validation) corpora of a study."""
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


def evaluate_run(run: Run, benchmark: str | Benchmark) -> None:
    """Rank a benchmark with the run's encoder, and keep the ranks and metrics in the run.

    Raises:
        FileNotFoundError: a recorded run, which has no encoder.
    """
    from hybridnb.encoders.encoder import DualEncoder
    from hybridnb.study.evaluation import evaluate

    name = benchmark if isinstance(benchmark, str) else benchmark.name
    if not run.encoder_directory.is_dir():
        raise FileNotFoundError(
            f"{run.directory} is a recorded run: it has no results on {name}, and no encoder to make them with. "
            "Train anew under another name, such as --set name=mine"
        )
    encoder = DualEncoder.load(str(run.encoder_directory))
    settings = run.info["settings"]["encoder"]
    encoder.precision = settings["precision"]
    if settings["trained_layers"] is not None:
        encoder.reuse_frozen(settings["trained_layers"], cache_directory() / "trunk")
    benchmark = corpora.load_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    evaluate(encoder, benchmark, run.directory)
