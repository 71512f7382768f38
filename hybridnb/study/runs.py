"""A run: one encoder fine-tuned under one strategy and seed, with all that it left on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hybridnb.encoders.settings import EncoderSettings
from hybridnb.files import write_text
from hybridnb.places import RESULTS, RUNS
from hybridnb.study.settings import NOT_TRAINED, Study
from hybridnb.training.batching import Strategy

if TYPE_CHECKING:
    from hybridnb.corpora.parallel import ParallelCorpus
    from hybridnb.encoders.encoder import DualEncoder
    from hybridnb.training.batching import BatchSampler


def read_metrics(out: Path) -> dict[str, Any]:
    """The content of out/metrics.json."""
    content: dict[str, Any] = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    return content


@dataclass(frozen=True)
class Run:
    """What a run left: run.json, history.csv, encoder/, ranks/, metrics.json.

    share: of the training documents. Only files are read here, so that tables and figures need no model.
    """

    directory: Path
    strategy: str
    seed: int
    share: float = 1.0

    @property
    def label(self) -> str:
        if self.strategy == NOT_TRAINED:
            return NOT_TRAINED
        share = "" if self.share == 1 else f" on {self.share:g} of the data"
        return f"{self.strategy} seed {self.seed}{share}"

    @property
    def slug(self) -> str:
        """The label as a file name: hybrid-0.5-seed0."""
        name = self.strategy.replace("(", "-").replace(")", "").replace(" ", "-")
        if self.strategy == NOT_TRAINED:
            return name
        return f"{name}-seed{self.seed}" + ("" if self.share == 1 else f"-share{self.share:g}")

    @property
    def encoder_directory(self) -> Path:
        return self.directory / "encoder"

    @property
    def is_trained(self) -> bool:
        """run.json is written last."""
        return (self.directory / "run.json").is_file()

    def is_evaluated(self, benchmark: str) -> bool:
        return (self.directory / "metrics.json").is_file() and benchmark in self.metrics

    @property
    def info(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.directory / "run.json").read_text(encoding="utf-8"))
        return content

    @property
    def metrics(self) -> dict[str, Any]:
        return read_metrics(self.directory)

    @property
    def history(self) -> pd.DataFrame:
        return pd.read_csv(self.directory / "history.csv")

    def ranks(self, benchmark: str) -> pd.DataFrame:
        """The ranks table of a benchmark."""
        return pd.read_parquet(self.directory / "ranks" / f"{benchmark}.parquet")

    def pool(self, benchmark: str) -> int:
        """How many candidates the largest pool of a benchmark has: those of all languages."""
        return int(self.ranks(benchmark)["pool_size"].max())

    def top_languages(self, benchmark: str) -> pd.DataFrame:
        """query_language, candidate_language, share of the first ten."""
        return pd.read_csv(self.directory / "ranks" / f"{benchmark}.top10.csv")

    def answers(self, benchmark: str) -> pd.DataFrame:
        """Vectors of a few parallel answers, float32 [texts, d], indexed by (answer, language)."""
        return pd.read_parquet(self.directory / "ranks" / f"{benchmark}.answers.parquet")


def study_runs(study: Study) -> list[Run]:
    """The main runs that a study asks for, trained or not; a run's directory tells its settings apart."""
    baseline = [run_of(study, NOT_TRAINED, 0)] if study.baseline else []
    return baseline + [run_of(study, strategy, seed) for strategy in study.strategies for seed in study.seeds]


def sweep_runs(study: Study, benchmark: str) -> list[Run]:
    """The runs of the study's sweeps that are evaluated on a benchmark."""
    return [
        run_of(study, strategy, seed, sweep.share)
        for sweep in study.sweeps
        if benchmark in (sweep.benchmarks or study.benchmarks)
        for strategy in sweep.strategies
        for seed in sweep.seeds
    ]


def planned(study: Study) -> dict[Run, list[str]]:
    """Every run of a study -> its benchmarks, what matters most first: a seed of all main strategies, the next,
    then the sweeps.
    """
    plan = {run: list(study.benchmarks) for run in sorted(study_runs(study), key=lambda run: run.seed)}
    for benchmark in study.benchmarks:
        for run in sweep_runs(study, benchmark):
            known = plan.setdefault(run, [])
            known.extend([benchmark] if benchmark not in known else [])
    return plan


def run_of(study: Study, strategy: str, seed: int, share: float | None = None) -> Run:
    """The run of one strategy and seed, trained or not; the recorded one (data/results) where there is no other.

    share: of the training documents; left out, the study's.
    """
    share = study.corpus.share if share is None else share
    run = Run(RUNS / study.name, strategy, seed, share)
    name = f"{run.slug}-{study.with_share(share).fingerprint(strategy, seed)}"
    run, recorded = (replace(run, directory=place / study.name / name) for place in (RUNS, RESULTS))
    return recorded if recorded.is_trained and not run.is_trained else run


def complete(study: Study, benchmarks: Sequence[str] = (), sweeps: bool = False) -> list[Run]:
    """The study's main runs, or its sweeps', trained and evaluated: what is missing is made first.

    It says so, and how long it may take.
    """
    benchmarks = tuple(benchmarks) or study.benchmarks
    wanted = {
        benchmark: sweep_runs(study, benchmark) if sweeps else study_runs(study) for benchmark in benchmarks
    }
    runs = list(dict.fromkeys(run for part in wanted.values() for run in part))
    missing = [run for run in runs if not run.is_trained]
    if missing:
        done = [run.info["seconds"] for run in runs if run.is_trained and not run.info["resumed_at_step"]]
        about = (
            f"about {sum(done) / len(done):.0f} s each, as the last ones took"
            if done
            else "some minutes each"
        )
        print(
            f"{len(missing)} of {len(runs)} runs are not trained yet; training them first ({about}):",
            flush=True,
        )
    for run in missing:
        finetune(study.with_share(run.share), run.strategy, run.seed)
    for benchmark, part in wanted.items():
        for run in part:
            if not run.is_evaluated(benchmark):
                evaluate_run(run, benchmark)
    return runs


def finetune(study: Study, strategy: str, seed: int) -> Run:
    """Fine-tune the study's encoder under a strategy; a finished run is returned as it is, a cut one goes on.

    What `02_finetune` and `hybridnb train` call. strategy: as `Strategy.parse` takes it, or NOT_TRAINED, which
    keeps the encoder as it is.
    """
    run = run_of(study, strategy, seed)
    if run.is_trained:
        return run
    # heavy imports only where a model is made: a finished study is found finished in a second
    from accelerate import PartialState

    from hybridnb.study.provenance import provenance
    from hybridnb.training.trainer import Trained, train, validation_batches

    corpus, held_out = training_data(study)
    encoder = base_encoder(study, corpus, seed)
    made_with = provenance()
    checkpoints = run.directory / "checkpoints"
    if strategy == NOT_TRAINED:
        languages: tuple[str, ...] = ()
        trained = Trained(pd.DataFrame({"step": []}), 0, 0, 0.0, 0)
    else:
        sampler = _sampler(study, corpus, strategy, seed)
        languages = sampler.languages
        validation = validation_batches(held_out, study.training, study.languages or corpus.languages)
        trained = train(encoder, sampler, validation, study.training, checkpoints)
    info = {
        "study": study.name,
        "strategy": strategy,
        "seed": seed,
        "languages": languages,
        "settings": {name: asdict(study)[name] for name in ("corpus", "encoder", "training")},
        "corpora": {c.name: {"items": len(c), "sha256": c.sha256} for c in (corpus, held_out)},
        "model": _described(encoder, study),
        "steps": trained.steps,
        "best_step": trained.best_step,
        "pairs_seen": trained.steps * study.training.batch_size,
        "seconds": trained.seconds,
        "resumed_at_step": trained.resumed_at,
        **made_with,
    }
    processes = PartialState()  # one, unless under accelerate launch or torchrun
    processes.wait_for_everyone()
    if processes.is_main_process:
        encoder.save(run.encoder_directory)
        write_text(run.directory / "history.csv", trained.history.to_csv(index=False))
        write_text(run.directory / "run.json", json.dumps(info, ensure_ascii=False, indent=1))
        shutil.rmtree(checkpoints, ignore_errors=True)
    processes.wait_for_everyone()
    return run


def _sampler(study: Study, corpus: ParallelCorpus, strategy: str, seed: int) -> BatchSampler:
    from hybridnb.training.batching import BatchSampler

    return BatchSampler(
        corpus,
        Strategy.parse(strategy),
        batch_size=study.training.batch_size,
        seed=seed,
        languages=study.languages or None,
        weights=study.corpus.weights,  # type: ignore[arg-type]
    )


def _described(encoder: DualEncoder, study: Study) -> dict[str, Any]:
    weights = list(encoder.parameters())
    return {
        "name": study.encoder.model,
        "parameters": sum(p.numel() for p in weights),
        "trained": sum(p.numel() for p in weights if p.requires_grad),
        **encoder.conventions,
    }


def training_data(study: Study) -> tuple[ParallelCorpus, ParallelCorpus]:
    """(training, validation) corpora of a study."""
    from hybridnb import corpora

    settings = study.corpus
    reading: dict[str, Any] = {}
    if settings.exclude_sources:
        reading["exclude_sources"] = settings.exclude_sources
    if settings.context != "never":
        reading["context"] = settings.context
    corpus = corpora.training_corpus(settings.training, **reading)
    if settings.validation:
        held_out = corpora.validation_corpus(settings.validation)
    else:
        corpus, held_out = corpus.split(settings.held_out)
    if settings.share < 1:
        # by another seed than what is held out; a smaller share is part of a larger one
        corpus, _ = corpus.split(1 - settings.share, seed=1)
    return corpus, held_out


def base_encoder(study: Study, corpus: ParallelCorpus, seed: int) -> DualEncoder:
    """The encoder before fine-tuning: built from the training texts, or loaded. One for all strategies."""
    encoder = _start(study.encoder, corpus, seed)
    encoder.precision = study.encoder.precision  # type: ignore[assignment]
    return encoder


def _start(settings: EncoderSettings, corpus: ParallelCorpus, seed: int) -> DualEncoder:
    if settings.model != "small":
        from hybridnb.encoders.encoder import DualEncoder
        from hybridnb.encoders.trunk import freeze

        encoder = DualEncoder.load(
            settings.model,
            pooling=settings.pooling,  # type: ignore[arg-type]
            query_prefix=settings.query_prefix,
            passage_prefix=settings.passage_prefix,
            max_query_length=settings.max_query_length,
            max_passage_length=settings.max_passage_length,
        )
        if settings.dropout is not None:
            encoder.set_dropout(settings.dropout)
        if settings.trained_layers is not None:
            freeze(encoder, settings.trained_layers)
        return encoder
    from hybridnb.encoders.small import build_small_encoder

    texts = (text for item in corpus.items for text in (*item.queries.values(), *item.passages.values()))
    return build_small_encoder(
        texts,
        vocabulary=settings.vocabulary,
        layers=settings.layers,
        hidden=settings.hidden,
        heads=settings.heads,
        seed=seed,
    )


def evaluate_run(run: Run, benchmark: str) -> None:
    """Rank a benchmark with the run's encoder, and keep the ranks and metrics in the run."""
    from hybridnb import corpora
    from hybridnb.encoders.encoder import DualEncoder
    from hybridnb.encoders.trunk import frozen_layers
    from hybridnb.places import cache_directory
    from hybridnb.study.evaluation import evaluate

    if not run.encoder_directory.is_dir():
        raise FileNotFoundError(
            f"{run.directory} is a recorded run: it has no results on {benchmark}, and no encoder to make them with. "
            "Train anew under another name, such as --set name=mine"
        )
    encoder = DualEncoder.load(str(run.encoder_directory))
    settings = run.info["settings"]["encoder"]
    encoder.precision = settings["precision"]
    trained_layers = settings["trained_layers"]
    frozen = 0 if trained_layers is None else frozen_layers(encoder, trained_layers)
    evaluate(
        encoder,
        corpora.load_benchmark(benchmark),
        run.directory,
        cache=cache_directory() / "trunk" if frozen else None,
        frozen=frozen,
    )
