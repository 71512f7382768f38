"""Our batches in other people's training loops: what accelerate deals out, what collators and losses are given."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from accelerate.data_loader import BatchSamplerShard, prepare_data_loader, skip_first_batches
from datasets import Dataset, DatasetDict
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch.utils.data import DataLoader
from toy import TOY, TOY_BENCHMARK, TOY_ITEMS, static_model

from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.study.evaluator import LanguageBiasEvaluator
from hybridnb.training import elsewhere
from hybridnb.training.batching import BatchSampler, Pair
from hybridnb.training.elsewhere import PairDataset, StrategyBatches
from hybridnb.training.strategies import Strategy

Texts = list[tuple[str, str]]

pytestmark = pytest.mark.usefixtures("one_thread")


def expected(
    corpus: ParallelCorpus, strategy: str, size: int, steps: Sequence[int], seed: int = 0
) -> list[Texts]:
    """The texts of the sampler's own batches."""
    sampler = BatchSampler(corpus, Strategy.parse(strategy), batch_size=size, seed=seed)
    return [
        [
            (
                corpus[pair.item].queries[pair.query_language],
                corpus[pair.item].passages[pair.passage_language],
            )
            for pair in sampler.batch(step)
        ]
        for step in steps
    ]


def texts(pairs: PairDataset, rows: list[int]) -> Texts:
    return [(row["query"], row["document"]) for row in pairs.__getitems__(rows)]


# some items lack texts in some languages
PARTLY = ParallelCorpus(
    "partly",
    [
        Item(
            item.id,
            item.source,
            item.document,
            {code: text for code, text in item.queries.items() if (n + ord(code[0])) % 4},
            {code: text for code, text in item.passages.items() if (n + ord(code[0])) % 5},
        )
        for n, item in enumerate(TOY_ITEMS)
    ],
)


@pytest.mark.parametrize("chunk", [1 << 16, 4])
@pytest.mark.parametrize("corpus", [TOY, PARTLY], ids=lambda corpus: corpus.name)
def test_there_is_a_row_for_every_pair_that_can_be_drawn(
    corpus: ParallelCorpus, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "CHUNK", chunk)
    pairs = PairDataset(corpus)
    all_pairs = [
        Pair(number, query, passage)
        for number, item in enumerate(corpus.items)
        for query, passage in itertools.product(item.queries, item.passages)
    ]
    rows = pairs.rows(all_pairs)
    assert sorted(rows) == list(range(len(pairs)))
    assert texts(pairs, rows) == [
        (corpus[pair.item].queries[pair.query_language], corpus[pair.item].passages[pair.passage_language])
        for pair in all_pairs
    ]
    assert pairs[len(pairs) - 1] == pairs[-3:].__class__(
        {name: column[-1] for name, column in pairs[-3:].items()}
    )


def test_a_piece_of_a_column_is_in_memory_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "CHUNK", 2)
    pairs = PairDataset(TOY)
    assert len(pairs) == 16 * 3 * 3
    for name, different in {"item": 16 // 2, "languages": 9}.items():
        chunks = pairs.data.column(name).chunks
        assert len(chunks) == len(pairs) // 2
        assert len({chunk.buffers()[1].address + 4 * chunk.offset for chunk in chunks}) == different


def test_workers_that_share_no_memory_get_a_copy() -> None:
    pairs = pickle.loads(pickle.dumps(PairDataset(TOY)))
    (batch,) = expected(TOY, "hybrid(0.5)", 4, [0])
    assert texts(pairs, next(iter(StrategyBatches(pairs, 4, strategy="hybrid(0.5)")))) == batch


@given(
    strategy=st.sampled_from(["X-X-mono", "X-Y", "hybrid(0.5)", "X-X"]),
    processes=st.integers(1, 4),
    size=st.integers(1, 3),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 3),
    split=st.booleans(),
)
def test_the_parts_that_accelerate_deals_are_the_batch_of_one_process(
    strategy: str, processes: int, size: int, seed: int, epoch: int, split: bool
) -> None:
    size = max(size, 2 if processes == 1 else 1)
    pairs, whole = PairDataset(TOY), size * processes
    given_size, sharing = (whole, 1) if split else (size, processes)
    parts = []
    for process in range(processes):
        batches = StrategyBatches(pairs, given_size, strategy=strategy, seed=seed, processes=sharing)
        shard = BatchSamplerShard(batches, processes, process, split_batches=split, even_batches=False)
        batches.set_epoch(epoch)
        parts.append(list(shard))
        assert len(parts[-1]) == len(shard) == 16 // whole
        batches = StrategyBatches(
            pairs, size, strategy=strategy, seed=seed, processes=processes, process=process
        )
        batches.set_epoch(epoch)
        assert len(batches) == len(shard)
        assert list(batches) == parts[-1], "without accelerate each process asks for its part"
    steps = range(epoch * (16 // whole), (epoch + 1) * (16 // whole))
    union = [texts(pairs, [*itertools.chain(*of_step)]) for of_step in zip(*parts, strict=True)]
    assert union == expected(TOY, strategy, whole, steps, seed)


def test_a_loop_goes_on_where_it_was() -> None:
    pairs = PairDataset(TOY)

    def seen(batches: StrategyBatches, epochs: int = 1) -> list[Texts]:
        loader = DataLoader(pairs, batch_sampler=batches)
        return [
            list(zip(batch["query"], batch["document"], strict=True))
            for _ in range(epochs)
            for batch in loader
        ]

    make = partial(StrategyBatches, pairs, 4, strategy="hybrid(0.5)", seed=3)
    assert seen(make(), epochs=3) == expected(TOY, "hybrid(0.5)", 4, range(12), 3)
    assert seen(make(steps=12)) == expected(TOY, "hybrid(0.5)", 4, range(12), 3)
    assert seen(make(steps=12, first=7)) == expected(TOY, "hybrid(0.5)", 4, range(7, 12), 3)
    assert len(make(steps=12, first=7)) == 5
    assert seen(make(first=6), epochs=2) == expected(TOY, "hybrid(0.5)", 4, range(6, 12), 3)
    later = skip_first_batches(DataLoader(pairs, batch_sampler=make(steps=12)), 5)
    assert [batch["query"] for batch in later] == [
        [query for query, _ in batch] for batch in expected(TOY, "hybrid(0.5)", 4, range(5, 12), 3)
    ]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("skipped", [0, 2])
def test_an_epoch_is_told_whatever_accelerate_puts_round_the_batches(processes: int, skipped: int) -> None:
    """As `Trainer._run_epoch` does it: of two processes that go on within an epoch, only the data set is told."""
    pairs = PairDataset(TOY)
    batches = StrategyBatches(pairs, 4 // processes, strategy="hybrid(0.5)", processes=processes)
    loader: Any = prepare_data_loader(
        DataLoader(pairs, batch_sampler=batches),
        num_processes=processes,
        process_index=0,
        put_on_device=False,
    )
    if skipped:
        loader = skip_first_batches(loader, skipped)
    loader.set_epoch(1)
    (batch,) = expected(TOY, "hybrid(0.5)", 4, [4 + skipped])
    assert next(iter(loader))["query"] == [query for query, _ in batch[: 4 // processes]]


def test_what_is_drawn_is_chosen_as_of_the_sampler() -> None:
    pairs = PairDataset(TOY)
    batches = StrategyBatches(pairs, 4, strategy=Strategy("X-Y"), languages=["de", "en"], draws="paired")
    assert {row["query"].split()[0] for row in pairs.__getitems__([*itertools.chain(*batches)])} == {
        "wo",
        "where",
    }
    with pytest.raises(TypeError, match="langauges"):
        StrategyBatches(pairs, 4, strategy="X-Y", langauges=["de"])
    with pytest.raises(ValueError, match="no strategy is named 'X-Z'"):
        StrategyBatches(pairs, 4, strategy="X-Z")


def test_another_data_set_is_refused() -> None:
    for other in (Dataset.from_dict({"query": ["?"], "document": ["."]}), PairDataset(TOY).select([3, 1])):
        with pytest.raises(
            ValueError, match=r"from a PairDataset, not from a Dataset: give PairDataset\(corpus\)"
        ):
            StrategyBatches(other, 2, strategy="X-Y")  # type: ignore[arg-type]


class Recorder(SentenceTransformerDataCollator):
    """Keeps the rows that it is given."""

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        self.__dict__.setdefault("seen", []).append([(row["query"], row["document"]) for row in features])
        return super().__call__(features)


class RecordingLoss(MultipleNegativesRankingLoss):
    """Keeps the tokens that it is given."""

    def forward(self, sentence_features: Any, labels: Any) -> Any:
        features = list(sentence_features)
        self.__dict__.setdefault("seen", []).append([part["input_ids"].tolist() for part in features])
        return super().forward(features, labels)


def train(
    model: SentenceTransformer,
    directory: Path,
    dataset: Any = None,
    resume: str | None = None,
    **settings: Any,
) -> tuple[SentenceTransformerTrainer, Recorder]:
    args = SentenceTransformerTrainingArguments(
        output_dir=str(directory),
        batch_sampler=partial(StrategyBatches, strategy="hybrid(0.5)"),
        **{
            "per_device_train_batch_size": 4, "max_steps": 10, "seed": 3, "prompts": model.prompts,
            "save_steps": 6, "logging_steps": 1, "use_cpu": True, "report_to": "none", "disable_tqdm": True,
            **settings,
        },
    )  # fmt: skip
    collator = Recorder(preprocess_fn=model.preprocess, prompts=model.prompts)
    trainer = SentenceTransformerTrainer(
        model,
        args,
        PairDataset(TOY) if dataset is None else dataset,
        loss=RecordingLoss(model),
        evaluator=LanguageBiasEvaluator(TOY_BENCHMARK),
        data_collator=collator,
    )
    trainer.train(resume_from_checkpoint=resume)
    return trainer, collator


def test_the_loss_of_sentence_transformers_sees_our_batches_in_our_order(tmp_path: Path) -> None:
    model = SentenceTransformer(str(static_model(tmp_path / "model")), device="cpu")
    trainer, collator = train(model, tmp_path / "out", eval_strategy="steps", eval_steps=5)
    batches = expected(TOY, "hybrid(0.5)", 4, range(10), seed=3)
    assert collator.seen[:10] == batches  # type: ignore[attr-defined]
    assert trainer.loss.seen == [
        [
            model.preprocess([pair[side] for pair in batch], prompt=model.prompts[kind])["input_ids"].tolist()
            for side, kind in enumerate(("query", "document"))
        ]
        for batch in batches
    ]

    logged = [entry for entry in trainer.state.log_history if "eval_toy_multilingual_rank_distance" in entry]
    assert [entry["step"] for entry in logged] == [5, 10]
    assert all(
        f"eval_toy_{task}_map" in logged[0] for task in ("monolingual", "crosslingual", "multilingual")
    )
    lines = (tmp_path / "out" / "eval" / "Language-Bias_evaluation_toy_results.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines] == ["steps", "5", "10"]

    checkpoint = tmp_path / "out" / "checkpoint-6"
    card = (checkpoint / "README.md").read_text(encoding="utf-8")
    assert "<code>query</code>" in card and "### Language Bias" in card and "rank_distance" in card
    assert (checkpoint / "training_args.bin").stat().st_size < 20_000, "the corpus is not in it"

    # stopped in the second epoch of four steps, and gone on from there
    again = SentenceTransformer(str(static_model(tmp_path / "again")), device="cpu")
    resumed, collator = train(again, tmp_path / "out", resume=str(checkpoint))
    assert collator.seen[:4] == batches[6:]  # type: ignore[attr-defined]
    assert len(resumed.loss.seen) == 4
    assert torch.equal(again[0].embedding.weight, model[0].embedding.weight)


def test_several_corpora_and_an_evaluation_loss(tmp_path: Path) -> None:
    model = SentenceTransformer(str(static_model(tmp_path / "model")), device="cpu")
    other = ParallelCorpus("other", TOY_ITEMS[16:])
    trainer, collator = train(
        model,
        tmp_path / "out",
        DatasetDict({"toy": PairDataset(TOY), "other": PairDataset(other)}),
        max_steps=-1,
        num_train_epochs=2,
        multi_dataset_batch_sampler="round_robin",
    )
    # an epoch of the toy has four steps, but ends with the two of the other
    ours, others = ([0, 1, 4, 5], TOY), (range(4), other)
    both = [expected(corpus, "hybrid(0.5)", 4, steps, seed=3) for steps, corpus in (ours, others)]
    assert collator.seen == [batch for pair in zip(*both, strict=True) for batch in pair]  # type: ignore[attr-defined]
    collator.seen.clear()  # type: ignore[attr-defined]
    metrics = trainer.evaluate(PairDataset(other))
    assert metrics["eval_loss"] > 0
    assert collator.seen == expected(other, "hybrid(0.5)", 8, range(1), seed=3)  # type: ignore[attr-defined]


TWO_PROCESSES = """
import json, sys
from pathlib import Path
tests = Path(sys.argv[1])
sys.path += [str(tests), str(tests / "training")]
from test_elsewhere import SentenceTransformer, static_model, torch, train
torch.set_num_threads(1)
home, rank = Path(sys.argv[2]), int(sys.argv[3])
settings = {"per_device_train_batch_size": 2, "eval_strategy": "steps", "eval_steps": 10}
seen = []
for resume in (None, str(home / "out" / "checkpoint-6")):
    model = SentenceTransformer(str(static_model(home / f"model{rank}-{bool(resume)}")), device="cpu")
    trainer, collator = train(model, home / "out", resume=resume, **settings)
    seen.append(collator.seen)
evaluated = trainer.state.log_history[-2]["eval_toy_multilingual_map"]
(home / f"{rank}.json").write_text(json.dumps([seen, evaluated, model[0].embedding.weight.sum().item()]))
torch.distributed.destroy_process_group()
"""


def test_two_processes_share_the_batch_of_one_and_resume_it(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launched = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TWO_PROCESSES, str(Path(__file__).parents[1]), str(tmp_path), str(rank)],
            env={**os.environ, **launched, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors
    results = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    assert results[0][1:] == results[1][1:]
    for run, steps in enumerate((range(10), range(6, 10))):
        parts = [result[0][run][: len(steps)] for result in results]
        union = [[tuple(pair) for pair in first + second] for first, second in zip(*parts, strict=True)]
        assert union == expected(TOY, "hybrid(0.5)", 4, steps, seed=3)


def test_any_trainer_of_transformers_is_given_them_by_its_data_loader(tmp_path: Path) -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, batch: Texts) -> dict[str, torch.Tensor]:
            seen.append(batch)
            return {"loss": self.weight.sum()}

    class HybridTrainer(transformers.Trainer):
        def get_train_dataloader(self) -> Any:
            batches = StrategyBatches(
                self.train_dataset, self.args.train_batch_size, strategy="hybrid(0.5)", seed=self.args.seed
            )
            return self.accelerator.prepare(
                DataLoader(self.train_dataset, batch_sampler=batches, collate_fn=self.data_collator)
            )

    def collate(rows: list[dict[str, str]]) -> dict[str, Any]:
        return {"batch": [(row["query"], row["document"]) for row in rows]}

    seen: list[Texts] = []
    args = transformers.TrainingArguments(
        str(tmp_path), max_steps=6, per_device_train_batch_size=4, seed=5, use_cpu=True, report_to="none",
        disable_tqdm=True, save_strategy="no",
    )  # fmt: skip
    HybridTrainer(Model(), args, collate, PairDataset(TOY)).train()
    assert seen == expected(TOY, "hybrid(0.5)", 4, range(6), seed=5)
