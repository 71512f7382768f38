"""Kills commands at random moments, starts them again, and compares what is left with an undisturbed run.

    python tests/kills.py [--rounds 10] [--only training evaluation study two]

training, evaluation: `hybridnb train`, without and with `--evaluate`, killed by SIGKILL; study: `hybridnb run`, which
is killed while its notebooks run, training ones among them; two: two `hybridnb run` of one study at once. Not part of
the suite: a round takes as long as the command.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from toy import write_study, write_xquad_r

CHECKOUT = Path(__file__).parents[1]
COMMANDS = {
    "training": ["train", "{study}", "--strategy", "X-Y"],
    "evaluation": ["train", "{study}", "--strategy", "X-Y", "--evaluate"],
    "study": ["run", "{study}", "--strategy", "X-Y"],
    "two": ["run", "{study}", "--strategy", "X-Y"],
}


def start(command: list[str], place: Path, name: str) -> subprocess.Popen[bytes]:
    """A command whose runs and cache lie in a directory of their own."""
    home = place / name
    home.mkdir(exist_ok=True)
    for link in ("notebooks", "data"):
        if not (home / link).exists():
            (home / link).symlink_to(CHECKOUT / link)
    environment = {
        **os.environ,
        "HYBRIDNB_HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "HYBRIDNB_DATA": str(place / "data"),
        "PYTHONPATH": str(CHECKOUT),
    }
    arguments = [part.format(study=place / "toy.toml") for part in command]
    log = (home / "log").open("ab")
    return subprocess.Popen(
        [sys.executable, "-m", "hybridnb.cli", *arguments], env=environment, cwd=home, stdout=log, stderr=log
    )


def left(home: Path) -> dict[str, str]:
    """What a study left that must not depend on kills: weights, ranks, metrics and tables by their hashes."""
    kinds = ("encoder/model.safetensors", "encoder/tokenizer.json", "ranks/*.parquet", "metrics.json")
    files = [path for kind in kinds for path in home.glob(f"runs/*/*/{kind}")]
    files += home.glob("runs/*/tables/*.csv")
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)
    }


def killed(command: list[str], place: Path, name: str, took: float) -> str:
    """Kill a command up to three times, let it end; "" if it then does."""
    for _ in range(3):
        process = start(command, place, name)
        try:
            process.wait(timeout=random.uniform(0.05, 1) * took)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    status = start(command, place, name).wait()
    return f"exit status {status}" if status else ""


def two(command: list[str], place: Path, name: str, took: float) -> str:
    processes = [start(command, place, name) for _ in range(2)]
    statuses = [process.wait() for process in processes]
    return f"exit statuses {statuses}" if any(statuses) else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        write_study(place)
        write_xquad_r(place / "data")
        for kind in options.only:
            began = time.monotonic()
            assert start(COMMANDS[kind], place, f"{kind}-alone").wait() == 0, (
                place / f"{kind}-alone/log"
            ).read_text()
            took = time.monotonic() - began
            wanted, good = left(place / f"{kind}-alone"), 0
            for number in range(options.rounds):
                name = f"{kind}-{number}"
                wrong = (two if kind == "two" else killed)(COMMANDS[kind], place, name, took)
                if not wrong and left(place / name) != wanted:
                    wrong = "other results than alone"
                good += not wrong
                if wrong:
                    tail = (place / name / "log").read_text(encoding="utf-8").splitlines()[-3:]
                    print(f"{name}: {wrong}: {tail}", flush=True)
            print(
                f"{kind}: {good} of {options.rounds} as alone ({took:.0f} s, {len(wanted)} files)", flush=True
            )
            failed += options.rounds - good
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
