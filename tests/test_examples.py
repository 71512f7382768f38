"""What README and examples/ show is run as it stands."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from toy import static_model

from hybridnb.cli import main
from hybridnb.training.strategies import STRATEGIES

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[0])
def test_the_python_of_the_readme(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STRATEGIES, "_entries", dict(STRATEGIES))
    monkeypatch.chdir(tmp_path)
    # sentence-transformers looks for a directory of this name before it asks the hub
    static_model(tmp_path / "intfloat" / "multilingual-e5-small")
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    if "evaluator" in names:
        lines = (tmp_path / "out" / "eval" / names["evaluator"].csv_file).read_text().splitlines()
        assert len(lines) > 1
    if "batches" in names:
        assert len(names["queries"]) == len(names["documents"]) == 64
        assert all(isinstance(text, str) for text in names["queries"])
    if "HybridTrainer" in names:
        args = transformers.TrainingArguments(str(tmp_path), per_device_train_batch_size=4, use_cpu=True)
        trainer = names["HybridTrainer"](torch.nn.Linear(1, 1), args, list, names["pairs"])
        assert [set(row) for row in next(iter(trainer.get_train_dataloader()))] == [{"query", "document"}] * 4
    if "two_languages" in names:
        query, passage = ({pair[side] for pair in names["batch"]} for side in (1, 2))
        assert len(query) == len(passage) == 1 and query != passage


def test_training_with_sentence_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = ROOT / "examples" / "sentence_transformers_trainer.py"
    options = ["--languages", "de", "en", "--steps", "12", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [str(example), *options])
    runpy.run_path(str(example), run_name="__main__")
    printed = re.findall(r"^(\w+) +([\d.]+) -> +([\d.]+)$", capsys.readouterr().out, re.MULTILINE)
    changes = {name: float(after) - float(before) for name, before, after in printed}
    assert list(changes) == [
        *("monolingual_map", "crosslingual_map", "multilingual_map", "multilingual_rank_distance"),
    ]
    assert changes["multilingual_map"] > 0


def commands_of(task: int, settings: dict[str, str], place: Path) -> list[list[str]]:
    """What one of two tasks of examples/index.slurm would start."""
    said = place / f"task{task}"
    python = place / "python"
    python.write_text(f"#!/bin/bash\nprintf '%s\\n' \"$@\" '' >> {said}\n")
    python.chmod(0o755)
    array = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": "2", "PYTHON": str(python)}
    script = ["bash", str(ROOT / "examples" / "index.slurm")]
    subprocess.run(script, env={**os.environ, **settings, **array}, check=True, cwd=place)
    commands = [command.splitlines() for command in said.read_text().strip().split("\n\n")]
    assert [command[:2] for command in commands] == [["-m", "hybridnb.cli"]] * 2
    return [command[2:] for command in commands]


def test_an_index_is_made_by_the_tasks_of_an_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hybridnb.retrieval.sharded.build.SMALL", 5)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = {
        "MODEL": str(static_model(tmp_path / "static")),
        "BENCHMARK": "cldr",
        "OPTIONS": "--language de --language en --shard-size 100",
        "FACTORY": "SQ8",
        "SEARCH": "--top 5",
        "INDEX": str(tmp_path / "index"),
        "RESULTS": str(tmp_path / "results"),
    }
    # neither waits for the other: a shard is searched as soon as it is there
    for task in (2, 1):
        for command in commands_of(task, settings, tmp_path):
            assert main(command) == 0
        assert (tmp_path / "results" / "metrics.json").is_file() == (task == 1)
    assert len(list((tmp_path / "index").glob("faiss/SQ8/*.faiss"))) == 6
    made = json.loads((tmp_path / "results" / "evaluations.json").read_text())["cldr-de-en"]
    assert (made["encoder"]["index"]["factory"], made["encoder"]["index"]["k"]) == ("SQ8", 5)
    assert "recall@5 " in capsys.readouterr().out
