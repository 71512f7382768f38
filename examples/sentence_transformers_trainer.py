"""Hybrid batches in sentence-transformers' own Trainer, and what they do to language bias.

    python examples/sentence_transformers_trainer.py                                     # a small encoder from scratch
    python examples/sentence_transformers_trainer.py --model intfloat/multilingual-e5-small --strategy X-X-mono
    accelerate launch examples/sentence_transformers_trainer.py                          # several GPUs share each batch

Trains on questions over Unicode CLDR facts, made here, and prints the evaluator's numbers before and after.
"""

from __future__ import annotations

import argparse
import os
from functools import partial

from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from hybridnb import LanguageBiasEvaluator, PairDataset, StrategyBatches, load_benchmark, training_corpus
from hybridnb.encoders.models.small import build_small_encoder

parser = argparse.ArgumentParser()
parser.add_argument(
    "--model", help="whatever sentence-transformers loads; a small encoder from scratch without it"
)
parser.add_argument("--strategy", default="hybrid(0.5)")
parser.add_argument("--languages", nargs="+", default=["ar", "de", "en", "th", "zh"])
parser.add_argument("--steps", type=int, default=60)
parser.add_argument("--out", default="runs/sentence-transformers")
asked = parser.parse_args()

corpus = training_corpus("cldr", languages=asked.languages)
benchmark = load_benchmark("cldr").in_languages(asked.languages)
if asked.model:
    model = SentenceTransformer(asked.model)
else:
    texts = [
        text for item in corpus.items for side in (item.queries, item.passages) for text in side.values()
    ]
    model = build_small_encoder(texts, layers=1, hidden=64, heads=2).network

evaluator = LanguageBiasEvaluator(benchmark)
trainer = SentenceTransformerTrainer(
    model,
    SentenceTransformerTrainingArguments(
        asked.out,
        max_steps=asked.steps,
        per_device_train_batch_size=64,
        learning_rate=5e-5 if asked.model else 3e-3,
        warmup_steps=0.1,
        prompts=model.prompts,
        batch_sampler=partial(StrategyBatches, strategy=asked.strategy),
        save_strategy="no",
        report_to="none",
    ),
    PairDataset(corpus),
    # of several processes, the negatives of each query are all that are in the batch
    loss=MultipleNegativesRankingLoss(model, gather_across_devices=os.environ.get("WORLD_SIZE", "1") != "1"),
    evaluator=evaluator,
)
before = trainer.evaluate()
trainer.train()
after = trainer.evaluate()
if trainer.is_world_process_zero():
    for name in before:
        if name.endswith(("_map", "_rank_distance")):
            print(
                f"{name.removeprefix(f'eval_{benchmark.name}_'):28} {before[name]:8.3f} -> {after[name]:8.3f}"
            )
