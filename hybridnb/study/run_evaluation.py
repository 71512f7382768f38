"""One run evaluated: a benchmark ranked with its encoder, as it is and debiased; several processes encode together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.sentences import Sides
from hybridnb.debiasing.settings import DebiasingSettings
from hybridnb.places import cache_directory
from hybridnb.study.identity import recorded_identity
from hybridnb.study.runs import DEBIASED, Run
from hybridnb.training.processes import first_says

if TYPE_CHECKING:
    from hybridnb.encoders.encoder import DualEncoder

# torch and what needs it are imported where a model is made: a finished study is found finished in a second


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


def share_encoding(
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
