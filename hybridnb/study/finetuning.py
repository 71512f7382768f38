"""One run: the study's encoder fine-tuned under a batch strategy, and kept with what it was made of."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from hybridnb.files import atomic, locked, write_json, write_text
from hybridnb.study.data import batches, training_data
from hybridnb.study.identity import identity
from hybridnb.study.plan import claim_name, run_of
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED, Study
from hybridnb.training.processes import check_shared, first_says, training_processes
from hybridnb.training.strategies import Strategy

if TYPE_CHECKING:
    from accelerate import PartialState

    from hybridnb.corpora.parallel import ParallelCorpus
    from hybridnb.encoders.encoder import DualEncoder
    from hybridnb.training.trainer import Trained

# torch and what needs it are imported where a model is made: a finished study is found finished in a second

ROOM = 4
"""Times the size of an encoder's weights that must be free on the disk: two checkpoints of weights and optimizer."""


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


def base_encoder(study: Study, corpus: ParallelCorpus, seed: int) -> DualEncoder:
    """The encoder before fine-tuning: built from the training texts, or loaded. One for all strategies."""
    from hybridnb import encoders

    texts = (text for item in corpus.items for text in (*item.queries.values(), *item.passages.values()))
    return encoders.start(study.encoder, texts, seed)


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
    from hybridnb.training.data import validation_batches
    from hybridnb.training.lookalikes import groups_as_read
    from hybridnb.training.trainer import train

    groups = groups_as_read(corpus, encoder, study.training, study.languages)
    sampler = batches(study, corpus, run.strategy, run.seed, groups)
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


def _described(encoder: DualEncoder, study: Study) -> dict[str, Any]:
    weights = list(encoder.parameters())
    return {
        "name": study.encoder.model,
        "parameters": sum(p.numel() for p in weights),
        "trained": sum(p.numel() for p in weights if p.requires_grad),
        **encoder.conventions,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
