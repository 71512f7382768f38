"""Commands on a study: run, train, tune, record."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hybridnb.cli.options import OF_A_STUDY, Seeds, Settings, SkipBad, Strategies, StudyName, share
from hybridnb.terminal import taking


@taking(OF_A_STUDY)
def run(
    study: StudyName, strategy: Strategies = None, seed: Seeds = None, skip_bad: SkipBad = False, **asked: Any
) -> None:
    """Run a study: all its notebooks, headless; goes on where it stopped.

    With --corpus FILE and no --benchmark it is a study on your own data: split into train, validation and test, with
    settings that fit it, and an answer at the end: which batches to train with, and how biased the encoder is.
    Under torchrun all processes train and encode, and the first runs the notebooks, which find it done.
    """
    from hybridnb.notebooks import run_study
    from hybridnb.study.asked import asked_for

    chosen = asked_for(study, skip_bad=skip_bad, **asked)
    run_study(chosen.only(strategies=strategy or (), seeds=seed or ()), skip_bad=skip_bad)


@taking(OF_A_STUDY)
def train(
    study: StudyName,
    strategy: Strategies = None,
    seed: Seeds = None,
    part: Annotated[
        str,
        typer.Option(metavar="K/N", help="of all runs, the K-th of N parts: for N machines or processes"),
    ] = "1/1",
    evaluate: Annotated[bool, typer.Option("--evaluate", help="on the study's benchmarks, too")] = False,
    skip_bad: SkipBad = False,
    **asked: Any,
) -> None:
    """Fine-tune encoders without notebooks: all of a study's runs, or those of the strategies and seeds named.

    Also under accelerate launch or torchrun, on one machine or several: each process has its part of every batch.
    """
    from hybridnb.study import making
    from hybridnb.study.asked import asked_for
    from hybridnb.study.plan import planned, run_of
    from hybridnb.training.processes import is_first

    chosen = asked_for(study, skip_bad=skip_bad, **asked)
    if strategy or seed:
        few = chosen.only(strategies=strategy or (), seeds=seed or ())
        runs = (run_of(few, name, number) for number in few.seeds for name in few.strategies)
        plan = {made: list(few.benchmarks) for made in runs}
    else:
        plan = planned(chosen)
    plan = dict(list(plan.items())[share(part)])
    making.make(chosen, plan if evaluate else dict.fromkeys(plan, ()), skip_bad=skip_bad)
    for made in plan:
        print(f"run: {made.directory}", flush=True)
    if evaluate and is_first():
        from hybridnb.corpora import benchmark_name
        from hybridnb.report.tables.headline import headline_table

        for spec in chosen.benchmarks:
            name = benchmark_name(spec)
            rows = {made.label: made.metrics[name] for made, specs in plan.items() if spec in specs}
            if rows:
                print(f"\n{name}\n{headline_table(rows).rename_axis(None).to_string()}", flush=True)


def tune(
    study: StudyName,
    part: Annotated[
        str, typer.Option(metavar="K/N", help="of all trials, the K-th of N parts: for N processes")
    ] = "1/1",
    setting: Settings = None,
) -> None:
    """Try the grid of a study's [tuning] on its validation sets, for every strategy alike; what is there is kept."""
    from hybridnb.places import RUNS
    from hybridnb.study import tuning
    from hybridnb.study.asked import asked_for

    chosen = asked_for(study, setting=setting)
    for line in tuning.tune(chosen, share(part)):
        print(line, flush=True)
    print(f"\ntrials: {RUNS / chosen.name / tuning.TABLE}")


@taking(OF_A_STUDY)
def record(study: StudyName, skip_bad: SkipBad = False, **asked: Any) -> None:
    """Keep a study's finished runs in data/results, without encoders."""
    from hybridnb.places import RESULTS
    from hybridnb.report import marginals
    from hybridnb.study import recording
    from hybridnb.study.asked import asked_for

    chosen = asked_for(study, skip_bad=skip_bad, **asked)
    for line in recording.record(chosen):
        print(line)
    for name, found in recording.record_leaks(chosen, skip_bad=skip_bad).items():
        print(f"{name}: {found['exact']} exact and {found['near']} near duplicates in the training corpus")
    print(f"\n{marginals.in_short(marginals.record(chosen)).to_string()}")
    print(f"\nrecorded: {RESULTS / chosen.name}")
