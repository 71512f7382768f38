"""Training steps on a GPU, ours in several ways and sentence-transformers': python benchmarks/gpu_training.py

Encoders of the sizes of XLM-R base and multilingual-e5-small with random weights, texts of random words, bfloat16
autocast over float32 weights, all weights trained. A row is a way to take a step; it says milliseconds (the median),
pairs a second, model FLOP utilisation and peak memory. The most important rows come first; one that fails says why,
and the others go on. Rows that begin after --budget seconds are left out. Needs no network and no files.
--device cpu --tiny tries it anywhere.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import platform
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.nn.functional import normalize, pad
from transformers import (
    AutoModel,
    BertConfig,
    PreTrainedTokenizerFast,
    PrinterCallback,
    TrainerCallback,
    XLMRobertaConfig,
)

from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.pipeline import pipeline_of
from hybridnb.training.batching import BatchSampler
from hybridnb.training.data import Collator, StepDataset
from hybridnb.training.settings import TrainingSettings
from hybridnb.training.strategies import Strategy
from hybridnb.training.trainer import BatchTrainer, Towers, _arguments, contrastive_loss

PEAK = {"H100": 989.4e12, "H200": 989.4e12, "A100": 312e12, "L40S": 362e12, "RTX 4090": 165.2e12}
"""FLOP/s of dense bf16 products with float32 sums, by the vendor's data sheets (SXM parts)."""

TEMPERATURE = 0.01


@dataclass(frozen=True)
class Row:
    """A way to take a step.

    Args:
        how: "ours", "theirs": a loop of forward, loss, backward, clipping and AdamW over batches that lie on the
            device; "our trainer", "their trainer": the library's own trainer, tokenisation included.
        size: of the encoder.
        batch: pairs.
        lengths: tokens of queries and of passages.
        mixed: texts of a quarter of these tokens up to all, else all.
        attention: of transformers, or "varlen": texts one after the other without padding.
        compiled: "", "layers" (each on its own), "whole" or "reduce-overhead".
        graph: the whole step as one CUDA graph.
        chunk: texts whose activations are held at a time, 0 all.
        fused: AdamW in one kernel.
        joined: queries and passages in one forward pass, padded to the longest of both.
    """

    how: str
    size: str = "base"
    batch: int = 100
    lengths: tuple[int, int] = (40, 48)
    mixed: bool = False
    attention: str = "sdpa"
    compiled: str = ""
    graph: bool = False
    chunk: int = 0
    fused: bool = True
    joined: bool = False


SHORT, LONG = (40, 48), (64, 256)
EAGER, THEIRS = Row("ours"), Row("their trainer")
LAYERS = Row("ours", compiled="layers")
BEST = replace(LAYERS, graph=True)
ROWS = [
    EAGER,
    replace(EAGER, lengths=LONG),
    LAYERS,
    replace(LAYERS, lengths=LONG),
    replace(LAYERS, joined=True),
    THEIRS,
    Row("our trainer"),
    replace(THEIRS, lengths=LONG),
    Row("our trainer", lengths=LONG),
    *(replace(row, batch=256) for row in (EAGER, LAYERS, THEIRS, Row("our trainer"))),
    *(replace(row, batch=256, lengths=LONG) for row in (EAGER, LAYERS, THEIRS, Row("our trainer"))),
    *(replace(row, batch=1024) for row in (EAGER, LAYERS, THEIRS, Row("our trainer"))),
    replace(EAGER, batch=1024, lengths=LONG, chunk=128),
    replace(LAYERS, batch=1024, lengths=LONG, chunk=128),
    replace(THEIRS, batch=1024, lengths=LONG, chunk=128),
    replace(EAGER, batch=128),
    replace(EAGER, batch=4096, chunk=128),
    *(replace(row, size="small") for row in (EAGER, LAYERS, THEIRS, Row("our trainer"))),
    *(replace(row, size="small", batch=1024) for row in (EAGER, LAYERS, THEIRS, Row("our trainer"))),
    replace(EAGER, fused=False),
    replace(EAGER, attention="eager"),
    replace(EAGER, lengths=LONG, mixed=True),
    replace(LAYERS, lengths=LONG, mixed=True),
    replace(EAGER, lengths=LONG, mixed=True, attention="varlen"),
    Row("theirs"),
    replace(LAYERS, compiled="reduce-overhead"),
    replace(LAYERS, compiled="whole"),
    # last: a capture that fails spoils the process for all that follow
    replace(EAGER, graph=True),
    *(replace(BEST, lengths=lengths) for lengths in (SHORT, LONG)),
    replace(BEST, joined=True),
    *(replace(BEST, batch=batch, size=size) for batch, size in ((256, "base"), (100, "small"))),
]


def random_encoder(size: str, tiny: bool) -> DualEncoder:
    """Random weights, and a tokenizer of words that are numbers."""
    words = 2_000 if tiny else 250_002
    special = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    vocabulary = special | {str(number): number for number in range(len(special), words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        cls_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        sep_token="</s>",
        unk_token="<unk>",
        model_max_length=512,
    )
    shape: dict[str, int] = {"num_hidden_layers": 12, "vocab_size": words, "pad_token_id": 1}
    if tiny:
        shape |= {
            "num_hidden_layers": 2,
            "hidden_size": 64,
            "num_attention_heads": 2,
            "intermediate_size": 128,
        }
    elif size == "small":
        shape |= {
            "hidden_size": 384,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
            "vocab_size": 250_037,
        }
    kind = XLMRobertaConfig if size == "base" else BertConfig
    # XLM-R counts its positions from 2
    config = kind(**shape, max_position_embeddings=514, type_vocab_size=1 if size == "base" else 2)
    torch.manual_seed(0)
    model = AutoModel.from_config(config)
    return DualEncoder(pipeline_of(model, fast, "mean", query_length=512, passage_length=512), name=size)


def random_corpus(pairs: int, lengths: tuple[int, int], mixed: bool, words: int) -> ParallelCorpus:
    """Pairs of texts of random words, of these numbers of tokens with the two that are put around them."""
    rng = np.random.default_rng(0)

    def text(length: int) -> str:
        tokens = int(rng.integers(length // 4, length + 1)) if mixed else length
        return " ".join(map(str, rng.integers(4, words, max(1, tokens - 2)).tolist()))

    items = [
        Item(str(n), "random", str(n), {"en": text(lengths[0])}, {"en": text(lengths[1])})
        for n in range(pairs)
    ]
    return ParallelCorpus("random", items)


def flops(encoder: DualEncoder, batch: dict[str, Any]) -> float:
    """Model FLOPs of a training step: per token 6 N + 12 L H T (PaLM, arXiv 2204.02311, appendix B).

    N weights without the embeddings, which are looked up; L layers, H width of all heads, T tokens of the text.
    Tokens of padding do not count, nor does what is computed twice.
    """
    config = encoder.model.config
    matrices = sum(p.numel() for name, p in encoder.model.named_parameters() if "embeddings" not in name)
    total = 0.0
    for side in ("queries", "passages"):
        lengths = batch[side]["attention_mask"].sum(1).double()
        total += float(6 * matrices * lengths.sum())
        total += float(12 * config.num_hidden_layers * config.hidden_size * (lengths**2).sum())
    return total


class Clock:
    """Milliseconds between marks, on the device's own clock, without waiting for it."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.marks = device, list[Any]()

    def mark(self) -> None:
        if self.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.marks.append(event)
        else:
            self.marks.append(time.perf_counter())

    def between(self) -> list[float]:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            return [a.elapsed_time(b) for a, b in zip(self.marks, self.marks[1:], strict=False)]
        return [1000 * (b - a) for a, b in zip(self.marks, self.marks[1:], strict=False)]


class Ticks(TrainerCallback):
    """A mark after each step of a trainer."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.clock.mark()


def to(device: torch.device, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: to(device, of_key) for key, of_key in value.items()}
    return value.to(device) if torch.is_tensor(value) else value


def bucketed(batch: dict[str, Any], step: int = 8) -> dict[str, Any]:
    """A batch padded to multiples of a width: what is compiled for a width is seldom compiled anew."""
    batch = dict(batch)
    for side in ("queries", "passages"):
        width = batch[side]["input_ids"].shape[1]
        more = -width % (step if width <= 64 else 8 * step)
        pads = {"input_ids": 1, "attention_mask": 0}
        batch[side] = {n: pad(batch[side][n], (0, more), value=v) for n, v in pads.items()}
    return batch


def copy_into(target: Any, source: Any) -> None:
    """The values of one batch into the tensors of another of the same shape."""
    for key, value in source.items():
        if isinstance(value, dict):
            copy_into(target[key], value)
        else:
            target[key].copy_(value, non_blocking=True)


def varlen_attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, starts: Any, longest: int, **_: Any
) -> tuple[Any, None]:
    """Attention within each of the texts that lie one after the other, [1, heads, tokens, width] each."""
    if query.device.type == "cpu":
        text = torch.bucketize(torch.arange(query.shape[2]), starts[1:], right=True)
        own = text[:, None] == text[None, :]
        out = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=own)
        return out.transpose(1, 2), None
    from torch.nn.attention.varlen import varlen_attn

    q, k, v = (t.squeeze(0).transpose(0, 1) for t in (query, key, value))
    return varlen_attn(q, k, v, starts, starts, longest, longest).unsqueeze(0), None


def encode_unpadded(encoder: DualEncoder, features: dict[str, torch.Tensor]) -> torch.Tensor:
    """The vectors of padded texts, computed without their padding."""
    mask = features["attention_mask"].bool()
    lengths = mask.sum(1)
    positions = (torch.arange(mask.shape[1], device=mask.device) + 2).expand_as(mask)[mask]
    starts = pad(lengths.cumsum(0), (1, 0)).int()
    states = encoder.model(
        input_ids=features["input_ids"][mask][None],
        position_ids=positions[None],
        starts=starts,
        longest=mask.shape[1],
    ).last_hidden_state[0]
    text = torch.arange(len(lengths), device=mask.device).repeat_interleave(lengths)
    sums = states.new_zeros(len(lengths), states.shape[1], dtype=torch.float32)
    with torch.autocast(mask.device.type, enabled=False):
        return normalize(sums.index_add(0, text, states.float()) / lengths[:, None], dim=-1)


@contextlib.contextmanager
def arranged(encoder: DualEncoder, row: Row) -> Iterator[None]:
    """The encoder with a row's attention, compiled as it says, for a while."""
    model = encoder.model
    model.set_attn_implementation(row.attention)
    forward, layers = model.forward, list(model.encoder.layer)
    if row.compiled == "layers":
        for layer in layers:
            layer.compile(dynamic=False)
    elif row.compiled:
        mode = "default" if row.compiled == "whole" else row.compiled
        model.forward = torch.compile(forward, mode=mode, dynamic=False)
    try:
        yield
    finally:
        model.__dict__.pop("forward", None)
        for layer in layers:
            layer._compiled_call_impl = None
        model.set_attn_implementation("sdpa")
        encoder.zero_grad(set_to_none=True)
        if row.compiled not in ("", "layers"):
            torch._dynamo.reset()


class Bench:
    """Measures rows."""

    def __init__(self, device: torch.device, tiny: bool, rounds: int, warmups: int) -> None:
        self.device, self.tiny, self.rounds, self.warmups = device, tiny, rounds, warmups
        name = torch.cuda.get_device_name() if device.type == "cuda" else platform.machine()
        self.name = name
        self.peak = next((peak for card, peak in PEAK.items() if card in name), None)
        self.encoder = cache(lambda size: random_encoder(size, tiny).to(device).train())

    def measure(self, row: Row) -> dict[str, Any]:
        encoder = self.encoder(row.size)
        rounds = self.rounds if row.batch <= 1024 else 5
        steps = rounds + self.warmups + 1
        words = encoder.vocabulary_size - 50
        corpus = random_corpus(max(4 * row.batch, 512), row.lengths, row.mixed, words)
        sampler = BatchSampler(corpus, Strategy("X-X-mono"), batch_size=row.batch, seed=0)
        settings = TrainingSettings(
            steps=steps, batch_size=row.batch, temperature=TEMPERATURE, learning_rate=1e-5, chunk=row.chunk
        )
        data = StepDataset(sampler, steps)
        collate = Collator(encoder, settings)
        on_host = [collate(data.batch(step)) for step in range(4)]
        if row.compiled:
            on_host = [bucketed(batch) for batch in on_host]
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        with arranged(encoder, row):
            if row.how in ("ours", "theirs"):
                batches = [to(self.device, batch) for batch in on_host]
                times, loss = self.loop(encoder, row, batches, settings, rounds)
            elif row.how == "our trainer":
                times, loss = self.our_trainer(encoder, data, collate, settings)
            else:
                times, loss = self.their_trainer(encoder, row, corpus, settings)
        times = times[self.warmups :]
        took = statistics.median(times)
        work = statistics.mean(flops(encoder, batch) for batch in on_host)
        return {
            "ms": round(took, 2),
            "ms_least": round(min(times), 2),
            "pairs_per_second": round(1000 * row.batch / took),
            "tokens_per_second": round(1000 * self.tokens(on_host) / took),
            "mfu": round(work / (took / 1000) / self.peak, 4) if self.peak else None,
            "tflop": round(work / 1e12, 3),
            "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if self.peak else None,
            "loss": loss,
            "seconds_in_all": round(time.perf_counter() - began, 1),
        }

    def tokens(self, batches: list[dict[str, Any]]) -> float:
        sides = ("queries", "passages")
        return sum(float(b[s]["attention_mask"].sum()) for b in batches for s in sides) / len(batches)

    def loop(
        self, encoder: DualEncoder, row: Row, batches: list[Any], settings: TrainingSettings, rounds: int
    ) -> tuple[list[float], float]:
        """What a trainer does in a step, on batches that are on the device already."""
        towers = Towers(encoder, row.chunk).train()
        weights = list(encoder.parameters())
        optimizer = torch.optim.AdamW(weights, lr=1e-5, fused=row.fused, capturable=row.graph)
        if row.how == "theirs":
            from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

            theirs = MultipleNegativesRankingLoss(encoder.network, scale=1 / TEMPERATURE)

            def loss_of(batch: Any) -> torch.Tensor:
                return theirs([dict(batch["queries"]), dict(batch["passages"])], None)
        elif row.joined:

            def together(sides: Any) -> Any:
                names = list(sides)
                width = max(of_side["input_ids"].shape[1] for of_side in sides.values())
                pads = {"input_ids": 1, "attention_mask": 0}
                features = {
                    key: torch.cat(
                        [pad(f[key], (0, width - f[key].shape[1]), value=v) for f in sides.values()]
                    )
                    for key, v in pads.items()
                }
                return dict(zip(names, encoder(features).split(row.batch), strict=True))

            def loss_of(batch: Any) -> torch.Tensor:
                return contrastive_loss(together, batch, TEMPERATURE)
        elif row.attention == "varlen":

            def unpadded(sides: Any) -> Any:
                return {side: encode_unpadded(encoder, features) for side, features in sides.items()}

            def loss_of(batch: Any) -> torch.Tensor:
                return contrastive_loss(unpadded, batch, TEMPERATURE)
        else:

            def loss_of(batch: Any) -> torch.Tensor:
                return contrastive_loss(towers, batch, TEMPERATURE, row.chunk)

        def step(batch: Any) -> torch.Tensor:
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                loss = loss_of(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, settings.max_gradient_norm)
            optimizer.step()
            return loss.detach()

        def plain(batch: Any) -> torch.Tensor:
            optimizer.zero_grad(set_to_none=True)
            return step(batch)

        take = self.graphed(plain, step, optimizer, batches) if row.graph else plain
        clock = Clock(self.device)
        clock.mark()
        for number in range(self.warmups + rounds):
            loss = take(batches[number % len(batches)])
            clock.mark()
        return clock.between(), round(float(loss), 3)

    def graphed(
        self, plain: Callable[[Any], Any], step: Callable[[Any], Any], optimizer: Any, batches: list[Any]
    ) -> Callable[[Any], torch.Tensor]:
        """A step as one CUDA graph."""
        static = to(self.device, {k: dict(v) if isinstance(v, dict) else v for k, v in batches[0].items()})
        static = {
            k: {n: t.clone() for n, t in v.items()} if isinstance(v, dict) else v.clone()
            for k, v in static.items()
        }
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for batch in batches[:3]:
                plain(batch)
        torch.cuda.current_stream().wait_stream(side)
        optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = step(static)

        def replay(batch: Any) -> torch.Tensor:
            copy_into(static, batch)
            graph.replay()
            return loss

        return replay

    def our_trainer(
        self, encoder: DualEncoder, data: StepDataset, collate: Collator, settings: TrainingSettings
    ) -> tuple[list[float], float]:
        clock = Clock(self.device)
        with tempfile.TemporaryDirectory() as scratch:
            arguments = _arguments(settings, Path(scratch), 0, 1, True)
            arguments.eval_strategy = arguments.save_strategy = arguments.logging_strategy = "no"
            trainer = BatchTrainer(
                Towers(encoder, settings.chunk, settings.sort_by_length),
                data,
                {"mono": data},
                collate=collate,
                temperature=settings.temperature,
                args=arguments,
                callbacks=[Ticks(clock)],
            )
            trainer.remove_callback(PrinterCallback)
            result = trainer.train()
        return clock.between(), round(result.training_loss, 3)

    def their_trainer(
        self, encoder: DualEncoder, row: Row, corpus: ParallelCorpus, settings: TrainingSettings
    ) -> tuple[list[float], float]:
        from datasets import Dataset
        from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
        from sentence_transformers.sentence_transformer.losses import (
            CachedMultipleNegativesRankingLoss,
            MultipleNegativesRankingLoss,
        )

        count = settings.steps * row.batch
        items = [corpus[number % len(corpus)] for number in range(count)]
        texts = {"query": [i.queries["en"] for i in items], "passage": [i.passages["en"] for i in items]}
        network, clock = encoder.network, Clock(self.device)
        scale = 1 / settings.temperature
        loss = (
            CachedMultipleNegativesRankingLoss(network, scale=scale, mini_batch_size=row.chunk)
            if row.chunk
            else MultipleNegativesRankingLoss(network, scale=scale)
        )
        with tempfile.TemporaryDirectory() as scratch:
            arguments = SentenceTransformerTrainingArguments(
                output_dir=scratch,
                max_steps=settings.steps,
                per_device_train_batch_size=row.batch,
                learning_rate=1e-5,
                bf16=True,
                use_cpu=self.device.type == "cpu",
                eval_strategy="no",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                report_to="none",
            )
            trainer = SentenceTransformerTrainer(
                model=network,
                args=arguments,
                train_dataset=Dataset.from_dict(texts),
                loss=loss,
                callbacks=[Ticks(clock)],
            )
            trainer.remove_callback(PrinterCallback)
            try:
                result = trainer.train()
            finally:
                for module in (network, loss):  # accelerate's wrapper
                    module.__dict__.pop("forward", None)
        return clock.between(), round(result.training_loss, 3)


def shown(row: Row, found: dict[str, Any]) -> str:
    """A line of the table."""
    words = [row.how, row.size, f"{row.batch:>4} x {row.lengths[0]}/{row.lengths[1]}"]
    ways = [w for w in (row.attention if row.attention != "sdpa" else "", row.compiled) if w]
    ways += ["CUDA graph"] * row.graph + [f"chunk {row.chunk}"] * bool(row.chunk) + ["mixed"] * row.mixed
    ways += ["AdamW not fused"] * (not row.fused) + ["joined"] * row.joined
    left = f"{words[0]:14} {words[1]:6} {words[2]:14} {', '.join(ways) or 'eager':26}"
    if "error" in found:
        return f"{left} {found['error'][:140]}"
    mfu = "" if found["mfu"] is None else f"{found['mfu']:7.1%} MFU {found['peak_gib']:7.1f} GiB"
    return f"{left} {found['ms']:9.2f} ms {found['pairs_per_second']:7} pairs/s {mfu}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true", help="two narrow layers and batches of 8")
    parser.add_argument("--budget", type=float, default=225, help="seconds in which rows may begin")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--warmups", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose line has this in it")
    parser.add_argument("--out", type=Path, default=Path("gpu_training.json"))
    options = parser.parse_args()
    began = time.monotonic()
    transformers.utils.logging.set_verbosity_error()
    transformers.AttentionInterface.register("varlen", varlen_attention)
    torch._dynamo.config.recompile_limit = 64  # one for each width and batch; beyond it nothing is compiled
    bench = Bench(torch.device(options.device), options.tiny, options.rounds, options.warmups)
    versions = {m.__name__: m.__version__ for m in (torch, transformers)}
    print(bench.name, versions, flush=True)
    rows = [replace(row, batch=8) for row in ROWS] if options.tiny else ROWS
    results = []
    for row in rows:
        if options.only not in shown(row, {"error": ""}):
            continue
        if time.monotonic() - began > options.budget:
            print(f"left out: {shown(row, {'error': ''})}", flush=True)
            continue
        try:
            found = bench.measure(row)
        except Exception as error:  # whatever one way breaks on, the others go on
            trace = traceback.format_exc().splitlines()[-12:]
            found = {"error": f"{type(error).__name__}: {error}".replace("\n", " ")[:500], "trace": trace}
        results.append({**vars(row), **found})
        print(shown(row, found), flush=True)
        whole = {"device": bench.name, "peak_flops": bench.peak, "versions": versions, "rows": results}
        options.out.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
