"""What README and examples/ show is run as it stands."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from toy import static_model

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
