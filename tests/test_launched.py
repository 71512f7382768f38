"""One study under launchers: by one process, by two, by four on two hosts; the same batches, losses and ranks."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from toy import stopped_at, write_study, write_xquad_r

from hybridnb.cli import main
from hybridnb.study import plan
from hybridnb.study.runs import Run
from hybridnb.study.settings import Study
from hybridnb.training.watching import Progress

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[1]

STUDY = """
title = "20 steps of a tiny encoder"
strategies = ["X-Y"]
seeds = [0, 1]
benchmarks = ["xquad-r"]
corpus = {training = "PAIRS", held_out = 0.35}
encoder = {vocabulary = 600, layers = 1, hidden = 32, heads = 2}
debiasing = {methods = ["means"], of_trained = ["means"], sentences = ["training"]}

[training]
steps = 20
batch_size = 8
learning_rate = 3e-3
evaluate_every = 5
validation_batches = 2
validation_batch_size = 4
"""

COMMANDS = """
import json, os, shutil, sys
from pathlib import Path
from hybridnb import notebooks
from hybridnb.cli import main

def written():
    return {str(file): file.stat().st_mtime_ns for file in Path(runs).glob("few/X-Y-*/**/*") if file.is_file()}

# cells of these notebooks are run by others; here they are copied as they are
notebooks.execute = lambda step, output, study: shutil.copyfile(notebooks.NOTEBOOKS / f"{step.notebook}.ipynb", output)
runs, *commands = sys.argv[1:]
before, is_first = {}, os.environ["RANK"] == "0"  # which ends last: what it finds written stays as it is
for command in map(json.loads, commands):
    assert main(command) == 0
    assert not before or written() == before
    before = written() if is_first else {}
"""

SRUN = """#!/bin/bash
[ "$1" = --kill-on-bad-exit=1 ] || exit 2
shift
SLURM_NODEID=0 {on[0]} "$@" &
SLURM_NODEID=1 {on[1]} "$@" &
wait -n && wait -n || {{ kill $(jobs -p); exit 1; }}
"""


@dataclass(frozen=True)
class Hosts:
    """Two hosts, or twice this one and why: addresses, what runs a command there, bytes that came from the other."""

    addresses: tuple[str, str]
    on: tuple[str, str]
    spaces: tuple[str, ...] = ()
    why_not: str = ""

    def received(self) -> list[int]:
        show = ["ip", "-json", "-stats", "-n"]
        found = [
            subprocess.run([*show, space, "link", "show", "veth0"], capture_output=True, check=True)
            for space in self.spaces
        ]
        return [json.loads(one.stdout)[0]["stats64"]["rx"]["bytes"] for one in found]


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    """Two network namespaces with a cable between them and nothing else."""
    spaces = (f"hybridnb-{os.getpid()}-a", f"hybridnb-{os.getpid()}-b")
    addresses = ("10.213.77.1", "10.213.77.2")
    make = [
        *(f"netns add {space}" for space in spaces),
        f"link add veth0 netns {spaces[0]} type veth peer name veth0 netns {spaces[1]}",
        *(f"-n {space} addr add {of}/24 dev veth0" for space, of in zip(spaces, addresses, strict=True)),
        *(f"-n {space} link set {name} up" for space in spaces for name in ("lo", "veth0")),
    ]
    why_not = ""
    try:
        for command in make:
            subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        why_not = "there is no `ip`"
    except subprocess.CalledProcessError as error:
        why_not = f"ip {command}: {error.stderr.strip()}"
    if why_not:
        yield Hosts(("127.0.0.1", "127.0.0.1"), ("env", "env"), why_not=why_not)
    else:
        on = [f"ip netns exec {space} env GLOO_SOCKET_IFNAME=veth0" for space in spaces]
        yield Hosts(addresses, (on[0], on[1]), spaces)
    for space in spaces:
        if shutil.which("ip"):
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)


def run_in(home: Path, seed: int = 0) -> Run:
    """The run of a seed under a home."""
    found = plan.run_here(Study.load(home.parent / "few.toml"), "X-Y", seed)
    return Run(home / "runs" / found.directory.relative_to(plan.RUNS), found.strategy, seed)


def launch(command: list[str], home: Path, **more: str) -> str:
    """What a command printed; an error is shown."""
    own = {"HYBRIDNB_HOME": home, "XDG_CACHE_HOME": home / "cache", "HYBRIDNB_DATA": home.parent / "data"}
    own |= {"PYTHONPATH": ROOT, "OMP_NUM_THREADS": Path("1")}
    environment = {**os.environ, **{name: str(value) for name, value in own.items()}, **more}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-9000:]
    return done.stdout


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of one process that made both seeds; seed 1 was stopped at step 12, as it is kept in `stopped`."""
    home = tmp_path_factory.mktemp("launched") / "alone"
    write_study(home.parent)
    data = write_xquad_r(home.parent / "data")
    study = home.parent / "few.toml"
    study.write_text(STUDY.replace("PAIRS", str(home.parent / "pairs.jsonl")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hybridnb.study.plan.RUNS", home / "runs")
        patch.setenv("HYBRIDNB_DATA", str(data))
        with patch.context() as cut:
            cut.setattr(Progress, "on_step_end", stopped_at(12))
            assert main(["train", str(study), "--seed", "1"]) == 130
        shutil.copytree(home / "runs", home.with_name("stopped"))
        assert main(["train", str(study), "--evaluate"]) == 0
    return home


@pytest.fixture(scope="module")
def two(alone: Path) -> tuple[Path, str]:
    """Home and output of two processes that train and evaluate both seeds, and then do more with what is there."""
    home = alone.with_name("two")
    shutil.copytree(alone.with_name("stopped"), home / "runs")
    file = alone.with_name("commands.py")
    file.write_text(COMMANDS)
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(file),
    ]
    study, run, index = str(alone.with_name("few.toml")), str(run_in(home).directory), str(home / "index")
    commands = [
        ["train", study, "--evaluate"],
        ["evaluate", run, "--benchmark", "xquad-r", "--out", str(home / "again")],
        ["index", run, "--benchmark", "xquad-r", "--shard-size", "10", "--out", index],
        ["search-index", index, "--out", str(home / "searched")],
        ["train", study, "--evaluate"],
        ["run", study],
    ]
    return home, launch([*torchrun, str(home / "runs"), *map(json.dumps, commands)], home)


@pytest.fixture(scope="module")
def four(alone: Path, hosts: Hosts) -> Path:
    """The home of four processes, two on each host, that the SLURM script starts with an srun of ours."""
    home, commands = alone.with_name("four"), alone.with_name("bin")
    commands.mkdir()
    (commands / "srun").write_text(SRUN.format(on=hosts.on))
    (commands / "scontrol").write_text("#!/bin/bash\nprintf '%s\\n' " + " ".join(hosts.addresses))
    for file in commands.iterdir():
        file.chmod(0o755)
    with socket.socket() as free:
        free.bind(("", 0))
        port = str(free.getsockname()[1])
    launch(
        ["bash", str(ROOT / "examples" / "train.slurm")],
        home,
        PATH=f"{commands}{os.pathsep}{os.environ['PATH']}",
        SLURM_JOB_NODELIST="node[1-2]",
        SLURM_NNODES="2",
        STUDY=str(alone.with_name("few.toml")),
        OPTIONS="--seed 0",
        PROCESSES="2",
        PYTHON=sys.executable,
        PORT=port,
    )
    return home


def assert_alike(run: Run, other: Run) -> None:
    """Each of the first 20 losses within 1e-4; the encoders rank alike."""
    mine, theirs = run.history, other.history
    assert mine["step"].tolist() == list(range(21))
    losses = ["loss", "validation", "validation_mono", "validation_cross"]
    assert_frame_equal(mine[losses], theirs[losses], check_exact=False, atol=1e-4, rtol=0)
    assert_frame_equal(mine, theirs, check_exact=False, rtol=1e-3)
    for directory in (Path("ranks"), Path("debiased") / "means" / "ranks"):
        ranks = [
            pd.read_parquet(one.directory / directory / "xquad-r.parquet")["rank"] for one in (run, other)
        ]
        assert (ranks[0] == ranks[1]).mean() > 0.98
        # of hundreds of candidates, those change places whose scores differ in their last bits
        assert np.abs(ranks[0] - ranks[1]).max() <= 10
    for task, of_task in other.metrics["xquad-r"].items():
        assert run.metrics["xquad-r"][task]["map"] == pytest.approx(of_task["map"], abs=0.002)


# two tests, not one a claim: each worker of pytest-xdist that has one of them makes all its fixtures


def test_two_processes_are_as_one(alone: Path, two: tuple[Path, str]) -> None:
    home, out = two
    first, second = run_in(home), run_in(home, 1)
    assert_alike(first, run_in(alone))
    left = [{path.name for path in run.directory.iterdir()} for run in (first, run_in(alone))]
    assert left[0] == left[1]
    # two went on from where one was stopped
    assert second.info["resumed_at_step"] == 10
    assert_alike(second, run_in(alone, 1))
    # what `evaluate` makes of an encoder is what its study does
    ranks = [
        pd.read_parquet(place / "ranks" / "xquad-r.parquet") for place in (home / "again", first.directory)
    ]
    assert_frame_equal(*ranks)
    # and, up to what float16 keeps and where the search ends, so do the shards of an index
    found, exact = (pd.read_parquet(home / of / "ranks" / "xquad-r.parquet") for of in ("searched", "again"))
    listed = found["rank"].notna()
    assert (found["rank"] == exact["rank"])[listed].mean() > 0.98
    assert (exact["rank"][~listed] > 95).all()
    # each thing is made, and said, once; what is there is found by `train` and `run`
    assert out.count("fine-tuning") == out.count(": ranking") == 2
    assert out.count("ranks and metrics: ") == out.count("33 of 33 shards are encoded") == 1
    assert out.count("Executed notebooks: ") == out.count("ranks, metrics and bounds: ") == 1
    table = pd.read_csv(home / "runs" / "few" / "tables" / "xquad-r.csv").set_index("seed")
    for seed, run in enumerate((first, second)):
        of_run = run.metrics["xquad-r"]
        maps = [of_run[task]["map"] for task in ("monolingual", "crosslingual", "multilingual")]
        assert table.loc[seed, ["Mo mAP", "Cr mAP", "Mul mAP"]].tolist() == pytest.approx(maps)


def test_four_processes_on_two_hosts_are_as_one(alone: Path, four: Path, hosts: Hosts) -> None:
    run = run_in(four)
    assert_alike(run, run_in(alone))
    if hosts.why_not:
        pytest.skip(f"four processes on one host are; two hosts cannot be made here: {hosts.why_not}")
    # the gradient of every weight came to each host from the other at every step
    size = sum(path.stat().st_size for path in run.encoder_directory.glob("*.safetensors"))
    assert min(hosts.received()) > 20 * size / 2
