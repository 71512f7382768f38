"""Making the runs of a study: what is missing is trained and evaluated; what is there is left alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.study.data import batches, debiasing_sentences, training_data
from hybridnb.study.finetuning import finetune
from hybridnb.study.plan import curve_runs, methods_by_run, recorded_otherwise, study_runs, sweep_runs
from hybridnb.study.run_evaluation import evaluate_run, share_encoding
from hybridnb.study.runs import Run, curves_file, read_evaluations
from hybridnb.study.settings import NOT_TRAINED, Study
from hybridnb.training.processes import first_says, is_first, launched


def complete(study: Study, benchmarks: Sequence[str] = (), sweeps: bool = False) -> list[Run]:
    """The study's main runs, or its sweeps', trained and evaluated: what is missing is made first, and said.

    Args:
        study: what is asked for.
        benchmarks: which; left out, all of the study's.
        sweeps: whether the runs of its sweeps are meant.

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
    make(study, plan)
    return list(plan)


def _pace(runs: Sequence[Run]) -> str:
    took = [run.info["seconds"] for run in runs if run.is_trained and not run.info["resumed_at_step"]]
    return f"about {sum(took) / len(took):.0f} s each, as the last ones took" if took else "some minutes each"


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
                share_encoding(run, loaded[name], methods.get(run, ()), of_run, of_curve)
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
