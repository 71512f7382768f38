"""Training on a toy: the same batches, weights and log however often it is stopped, split or chunked."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pandas.testing import assert_frame_equal
from toy import HELD_OUT, TOY, TOY_WITH_NEGATIVES, stopped_at, toy_encoder

from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.training.batching import BatchSampler
from hybridnb.training.checkpoints import SEAL, last_checkpoint, seal
from hybridnb.training.data import Collator, StepDataset, validation_batches
from hybridnb.training.finite import NotFinite
from hybridnb.training.settings import TrainingSettings
from hybridnb.training.strategies import Strategy
from hybridnb.training.trainer import Trained, contrastive_loss, train
from hybridnb.training.watching import Progress


def toy_settings(**changes: Any) -> TrainingSettings:
    toy = {
        "steps": 12, "batch_size": 4, "learning_rate": 3e-3, "evaluate_every": 4,
        "validation_batches": 2,
    }  # fmt: skip
    return TrainingSettings(**{**toy, **changes})


def train_toy(
    directory: Path,
    corpus: ParallelCorpus = TOY,
    strategy: str = "hybrid(0.5)",
    dropout: float = 0.0,
    encoder: DualEncoder | None = None,
    **changes: Any,
) -> tuple[DualEncoder, Trained]:
    settings = toy_settings(**changes)
    sampler = BatchSampler(corpus, Strategy.parse(strategy), batch_size=settings.batch_size, seed=3)
    encoder = encoder or toy_encoder(dropout)
    validation = validation_batches(HELD_OUT, settings, sampler.languages)
    return encoder, train(encoder, sampler, validation, settings, directory)


def assert_same_weights(one: DualEncoder, other: DualEncoder) -> None:
    other_weights = other.state_dict()
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, other_weights[name]), name


pytestmark = pytest.mark.usefixtures("one_thread")


def own_info_nce(queries: np.ndarray, candidates: np.ndarray, temperature: float) -> float:
    scores = queries.astype(float) @ candidates.astype(float).T / temperature
    return float(np.mean(np.log(np.exp(scores).sum(1)) - np.diag(scores)))


def test_the_loss_has_every_hard_negative_as_a_candidate_of_every_query() -> None:
    encoder = toy_encoder()
    sampler = BatchSampler(TOY_WITH_NEGATIVES, Strategy("X-Y"), batch_size=4, seed=0)
    rows = [StepDataset(sampler, 1, hard_negatives=True)[row] for row in range(4)]
    queries, passages, hard = zip(*rows, strict=True)
    vectors = [encoder.encode(queries, "query", progress=False)]
    vectors += [encoder.encode(texts, "passage", progress=False) for texts in (passages, hard)]
    with torch.no_grad():
        loss = contrastive_loss(
            lambda sides: {side: encoder(features) for side, features in sides.items()},
            Collator(encoder, TrainingSettings())(rows),
            temperature=0.05,
        )
    assert loss.item() == pytest.approx(own_info_nce(vectors[0], np.concatenate(vectors[1:]), 0.05), rel=1e-4)


def test_equal_passages_are_not_each_others_negatives() -> None:
    encoder = toy_encoder()
    rows = [("where does bana live?", "bana"), ("who is kulo?", "kulo"), ("where is bana?", "bana")]
    number = Collator(encoder, TrainingSettings())(rows)["passage_texts"].tolist()
    assert number[0] == number[2] != number[1]
    queries, passages = (
        encoder.encode([row[n] for row in rows], kind, progress=False)
        for n, kind in ((0, "query"), (1, "passage"))
    )
    with torch.no_grad():
        loss = contrastive_loss(
            lambda sides: {side: encoder(features) for side, features in sides.items()},
            Collator(encoder, TrainingSettings())(rows),
            temperature=0.05,
        )
    scores = queries.astype(float) @ passages.astype(float).T / 0.05
    scores[0, 2] = scores[2, 0] = -np.inf
    assert loss.item() == pytest.approx(
        float(np.mean(np.log(np.exp(scores).sum(1)) - np.diag(scores))), rel=1e-4
    )


def test_it_learns(tmp_path: Path) -> None:
    _, trained = train_toy(tmp_path, steps=80, evaluate_every=20)
    history = trained.history
    validation = history.dropna(subset="validation")
    assert validation["step"].tolist() == [0, 20, 40, 60, 80]
    assert history["loss"].isna().tolist() == [True, *[False] * (len(history) - 1)]
    assert history["loss"].head(5).mean() > 2 * history["loss"].tail(5).mean()
    assert validation["validation"].iloc[-1] < 0.8 * validation["validation"].iloc[0]
    assert (trained.steps, trained.resumed_at) == (80, 0)
    assert history["learning_rate"].iloc[-1] < history["learning_rate"].max() <= 3e-3


def own_training(settings: TrainingSettings) -> DualEncoder:
    """The toy encoder after a plain loop: AdamW that leaves biases and normalisations undecayed, a linear schedule."""
    sampler = BatchSampler(TOY, Strategy("hybrid", 0.5), batch_size=settings.batch_size, seed=3)
    encoder = toy_encoder().train()
    undecayed = {name for name, _ in encoder.named_parameters() if "bias" in name or "norm" in name.lower()}
    parameters = {
        settings.weight_decay: [p for name, p in encoder.named_parameters() if name not in undecayed],
        0.0: [p for name, p in encoder.named_parameters() if name in undecayed],
    }
    groups = [{"params": group, "weight_decay": decay} for decay, group in parameters.items()]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
    warm = round(settings.warmup * settings.steps)
    for step in range(settings.steps):
        queries, passages = zip(*StepDataset(sampler, settings.steps).batch(step), strict=True)
        scores = (
            encoder(encoder.tokenize(queries, "query")) @ encoder(encoder.tokenize(passages, "passage")).T
        )
        torch.nn.functional.cross_entropy(
            scores / settings.temperature, torch.arange(len(queries))
        ).backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), settings.max_gradient_norm)
        rise, fall = step / max(warm, 1), (settings.steps - step) / (settings.steps - warm)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * (rise if step < warm else fall)
        optimizer.step()
        optimizer.zero_grad()
    return encoder.eval()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"weight_decay": 5.0},
        {"warmup": 0.5},
        {"warmup": 0.0},
        {"max_gradient_norm": 1e-6},
        {"temperature": 0.5},
    ],
    ids=str,
)
def test_it_is_what_a_plain_loop_makes(tmp_path: Path, changes: dict[str, float]) -> None:
    options: dict[str, Any] = {"steps": 6, "evaluate_every": 6, "keep_best": False, **changes}
    encoder, _ = train_toy(tmp_path, **options)
    expected = own_training(toy_settings(**options)).state_dict()
    for name, weight in encoder.state_dict().items():
        torch.testing.assert_close(weight, expected[name], msg=lambda text, name=name: f"{name}: {text}")


def test_the_seed_and_nothing_else_decides_what_dropout_drops(tmp_path: Path) -> None:
    def trained(name: str, seed: int, before: int) -> torch.Tensor:
        settings = toy_settings(steps=2, evaluate_every=2, keep_best=False)
        sampler = BatchSampler(TOY, Strategy("X-X-mono"), batch_size=4, seed=3)
        sampler.seed = seed  # the batches stay those of seed 3
        encoder = toy_encoder(dropout=0.5)
        torch.manual_seed(before)
        train(encoder, sampler, validation_batches(HELD_OUT, settings, None), settings, tmp_path / name)
        return torch.cat([weight.flatten() for weight in encoder.parameters()]).detach()

    first = trained("first", 3, before=1)
    assert torch.equal(first, trained("again", 3, before=2))
    assert not torch.equal(first, trained("other", 4, before=1))


def test_the_last_weights_are_kept_where_the_study_says_so(tmp_path: Path) -> None:
    kept, trained = train_toy(tmp_path / "last", steps=24, learning_rate=0.3, keep_best=False)
    best, other = train_toy(tmp_path / "best", steps=24, learning_rate=0.3)
    assert trained.best_step == trained.steps == 24 > other.best_step
    assert_frame_equal(trained.history, other.history)
    assert not torch.equal(next(kept.parameters()), next(best.parameters()))


def test_the_weights_of_the_lowest_validation_loss_are_kept(tmp_path: Path) -> None:
    """At such a learning rate training gets worse; the validation loss is computed again from the vectors."""
    encoder, trained = train_toy(tmp_path, steps=24, learning_rate=0.3)
    by_step = trained.history.dropna(subset="validation").set_index("step")
    assert by_step["validation"].iloc[-1] > by_step["validation"].min()
    assert trained.best_step == by_step["validation"].loc[1:].idxmin()  # of those that were trained
    for kind, batches in validation_batches(HELD_OUT, toy_settings(), ["de", "en", "es"]).items():
        losses = []
        for step in range(batches.steps):
            queries, passages = zip(*(batches[4 * step + slot] for slot in range(4)), strict=True)
            vectors = [
                encoder.encode(t, k, progress=False) for t, k in ((queries, "query"), (passages, "passage"))
            ]
            losses.append(own_info_nce(*vectors, temperature=0.05))
        assert by_step.loc[trained.best_step, f"validation_{kind}"] == pytest.approx(
            np.mean(losses), rel=1e-3
        )
    kinds = by_step[["validation_mono", "validation_cross"]].mean(axis=1)
    assert by_step["validation"].to_numpy() == pytest.approx(kinds.to_numpy())


# 11: a prime, so that the log between validations could straddle one
@pytest.mark.parametrize("every", [4, 11])
def test_interrupted_training_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    options: dict[str, Any] = {"steps": 2 * every + 2, "evaluate_every": every, "dropout": 0.1}
    whole, expected = train_toy(tmp_path / "whole", **options)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Progress, "on_step_end", stopped_at(every + 2))
        train_toy(tmp_path / "cut", **options)
    resumed, trained = train_toy(tmp_path / "cut", **options)
    assert (expected.resumed_at, trained.resumed_at) == (0, every)
    assert_same_weights(whole, resumed)
    assert_frame_equal(trained.history, expected.history)
    assert trained.best_step == expected.best_step


def test_tables_updated_by_rows_end_as_whole_ones_interrupted_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"steps": 10, "weight_decay": 0.5, "sort_by_length": True}
    whole, expected = train_toy(tmp_path / "whole", **options)
    monkeypatch.setattr("hybridnb.training.rows.LARGE", 0)
    by_rows, trained = train_toy(tmp_path / "rows", **options)
    for name, weight in by_rows.state_dict().items():
        torch.testing.assert_close(weight, whole.state_dict()[name], rtol=1e-3, atol=1e-5)
    assert_frame_equal(trained.history, expected.history, check_exact=False, rtol=1e-3)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Progress, "on_step_end", stopped_at(6))
        train_toy(tmp_path / "cut", **options)
    resumed, trained = train_toy(tmp_path / "cut", **options)
    assert trained.resumed_at == 4
    assert_same_weights(by_rows, resumed)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_what_two_processes_began_one_ends_alike_or_not_at_all(tmp_path: Path, dropout: float) -> None:
    whole, expected = train_toy(tmp_path, dropout=dropout)
    checkpoint = tmp_path / "checkpoint-8"
    shutil.rmtree(tmp_path / "checkpoint-12")
    (checkpoint / "rng_state.pth").rename(checkpoint / "rng_state_0.pth")
    shutil.copy(checkpoint / "rng_state_0.pth", checkpoint / "rng_state_1.pth")
    (checkpoint / SEAL).unlink()
    seal(checkpoint)
    if dropout:
        with pytest.raises(
            ValueError, match=r"-8 was made by 2 processes, .* start as many as before, or remove"
        ):
            train_toy(tmp_path, dropout=dropout)
        return
    resumed, trained = train_toy(tmp_path)
    assert trained.resumed_at == 8
    assert_same_weights(whole, resumed)
    assert_frame_equal(trained.history, expected.history)


def test_speed_is_that_of_the_steps_after_the_first(tmp_path: Path) -> None:
    _, trained = train_toy(tmp_path, steps=12, evaluate_every=4)
    speed = trained.speed
    assert speed["steps_timed"] == 11 and speed["model_flop_utilisation"] is None
    pairs, tokens = speed["pairs_per_second"], speed["tokens_per_second"]
    assert pairs is not None and tokens is not None and pairs * trained.seconds > 11 * 4
    # two texts a pair, of 3 to 30 tokens each
    assert 2 * 3 * pairs < tokens < 2 * 30 * pairs
    assert speed["peak_memory_mib"] is None or speed["peak_memory_mib"] > 100


def test_training_that_is_finished_but_not_saved_goes_on_from_its_end(tmp_path: Path) -> None:
    first, expected = train_toy(tmp_path)
    again, trained = train_toy(tmp_path)
    assert trained.resumed_at == trained.steps == 12
    assert_same_weights(first, again)
    assert_frame_equal(trained.history, expected.history)


@pytest.mark.parametrize("missing", [True, False])
def test_half_a_checkpoint_is_removed_and_the_one_before_is_taken(tmp_path: Path, missing: bool) -> None:
    whole, expected = train_toy(tmp_path)
    found = sorted(path.name for path in tmp_path.glob("checkpoint-*"))
    assert last_checkpoint(tmp_path, keep_best=True) == tmp_path / "checkpoint-12" and len(found) == 2
    state = tmp_path / "checkpoint-12" / "trainer_state.json"
    if missing:
        state.unlink()
    else:
        state.write_text(state.read_text()[:100])
    assert last_checkpoint(tmp_path, keep_best=True) == tmp_path / "checkpoint-8"
    assert not (tmp_path / "checkpoint-12").exists()
    resumed, trained = train_toy(tmp_path)
    assert trained.resumed_at == 8
    assert_same_weights(whole, resumed)
    assert_frame_equal(trained.history, expected.history)
    assert last_checkpoint(tmp_path / "nothing", keep_best=True) is None


def test_patience_ends_training_early_interrupted_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"steps": 40, "evaluate_every": 2, "learning_rate": 0.3, "patience": 3}
    whole, expected = train_toy(tmp_path / "whole", **options)
    validation = expected.history.dropna(subset="validation")
    assert expected.steps == expected.best_step + 3 * 2 < 40
    assert validation["step"].iloc[-1] == expected.steps
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Progress, "on_step_end", stopped_at(expected.steps - 1))
        train_toy(tmp_path / "cut", **options)
    resumed, trained = train_toy(tmp_path / "cut", **options)
    assert trained.resumed_at == expected.steps - 2
    assert (trained.steps, trained.best_step) == (expected.steps, expected.best_step)
    assert_same_weights(whole, resumed)
    assert_frame_equal(trained.history, expected.history)


def test_chunks_change_nothing(tmp_path: Path) -> None:
    _, whole = train_toy(tmp_path / "whole", dropout=0.0)
    _, chunked = train_toy(tmp_path / "chunked", chunk=3)
    assert_frame_equal(chunked.history, whole.history, check_exact=False, rtol=1e-3)


def test_processes_must_divide_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    three = SimpleNamespace(num_processes=3)
    monkeypatch.setattr("hybridnb.training.trainer.training_processes", lambda: three)
    with pytest.raises(ValueError, match=r"training\.batch_size is 4; 3 processes cannot share it evenly"):
        train_toy(tmp_path)


def test_a_loss_that_is_no_number_stops_at_its_step_and_batch(tmp_path: Path) -> None:
    """The steps before a kill are good; then texts whose vectors are no numbers come."""
    options: dict[str, Any] = {"steps": 12, "evaluate_every": 4}

    class Broken(DualEncoder):
        def forward(self, features: dict[str, torch.Tensor]) -> torch.Tensor:
            calls.append(1)
            vectors: torch.Tensor = super().forward(features)
            return vectors * float("nan") if self.training and len(calls) > broken_from else vectors

    # two sides of six steps, and the validation before the first and after the fourth
    calls, broken_from = list[int](), 2 * 6 + 2 * (2 * 4)
    settings = toy_settings(**options)
    sampler = BatchSampler(TOY, Strategy("X-Y"), batch_size=4, seed=3)
    encoder = toy_encoder()
    encoder.__class__ = Broken
    validation = validation_batches(HELD_OUT, settings, None)
    with pytest.raises(NotFinite, match=r"^the loss is nan at step 7, on X-Y batch 6 \(") as caught:
        train(encoder, sampler, validation, settings, tmp_path)
    first = sampler.batch(6)[0]
    assert f"({TOY[first.item].id} {first.query_language}-{first.passage_language}, " in str(caught.value)
    assert last_checkpoint(tmp_path, keep_best=True) == tmp_path / "checkpoint-4"
    encoder.__class__ = DualEncoder
    assert train(toy_encoder(), sampler, validation, settings, tmp_path).resumed_at == 4


def test_weights_that_are_no_numbers_stop_it(tmp_path: Path) -> None:
    with pytest.raises(NotFinite, match=r"(after step 1; what was kept|at step 2, on)"):
        train_toy(tmp_path, learning_rate=1e38, max_gradient_norm=1e30, warmup=0.0, evaluate_every=1)
    assert not list(tmp_path.glob("checkpoint-*"))


def test_a_validation_that_is_no_number_keeps_nothing(tmp_path: Path) -> None:
    class Broken(DualEncoder):
        def forward(self, features: dict[str, torch.Tensor]) -> torch.Tensor:
            vectors: torch.Tensor = super().forward(features)
            return vectors if self.training else vectors * float("inf")

    settings = toy_settings()
    encoder = toy_encoder()
    encoder.__class__ = Broken
    sampler = BatchSampler(TOY, Strategy("X-Y"), batch_size=4, seed=3)
    with pytest.raises(NotFinite, match=r"validation loss \(mono\) is nan after step 0, on X-X-mono batch 0"):
        train(encoder, sampler, validation_batches(HELD_OUT, settings, None), settings, tmp_path)
    assert not list(tmp_path.glob("checkpoint-*"))


def test_a_full_disk_is_named_and_the_same_call_goes_on(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    whole, expected = train_toy(tmp_path / "whole")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    weights = (tmp_path / "whole" / "checkpoint-12" / "model.safetensors").stat().st_size
    # not even the weights fit, then they do and the optimizer's state, twice as large, does not
    for room in (weights // 2, weights + weights // 2):
        encoder = toy_encoder()
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        try:
            with pytest.raises(OSError) as caught:
                train_toy(tmp_path / "full", encoder=encoder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert caught.value.filename == str(tmp_path / "full" / "checkpoint-4")
        assert caught.value.errno in (errno.EFBIG, errno.ENOSPC)
        assert not list((tmp_path / "full").glob("checkpoint-*"))
    resumed, trained = train_toy(tmp_path / "full")
    assert_same_weights(whole, resumed)
    assert_frame_equal(trained.history, expected.history)


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_the_best_checkpoint_is_the_one_that_is_kept_or_none_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """At such a learning rate training gets worse; its best checkpoint is lost before or after the end."""
    options: dict[str, Any] = {"steps": 24, "learning_rate": 0.3}
    whole, expected = train_toy(tmp_path / "whole", **options)
    best = expected.best_step
    assert best < 20

    def lose(directory: Path) -> None:
        if damage == "gone":
            shutil.rmtree(directory / f"checkpoint-{best}")
        else:
            os.truncate(directory / f"checkpoint-{best}" / "model.safetensors", 1000)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Progress, "on_step_end", stopped_at(best + 6))
        train_toy(tmp_path / "cut", **options)
    lose(tmp_path / "cut")
    resumed, trained = train_toy(tmp_path / "cut", **options)
    assert (trained.resumed_at, trained.best_step) == (0, best)
    assert_same_weights(whole, resumed)

    class LostAtTheEnd(Progress):
        def close(self) -> None:
            lose(tmp_path / "end")

    monkeypatch.setattr("hybridnb.training.trainer.Progress", LostAtTheEnd)
    with pytest.raises(
        RuntimeError, match=rf"checkpoint-{best}, which had the lowest validation loss, is gone or damaged"
    ):
        train_toy(tmp_path / "end", **options)


def test_lengths_are_checked_before_the_first_batch(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="max_query_length is 2"):
        train_toy(tmp_path, max_query_length=2)


def test_weights_that_checkpoints_cannot_hold_are_told_before_the_first_batch(tmp_path: Path) -> None:
    encoder = toy_encoder()
    encoder.twin = encoder.model.get_submodule("embeddings.word_embeddings")
    settings = toy_settings()
    sampler = BatchSampler(TOY, Strategy("X-Y"), batch_size=4, seed=3)
    with pytest.raises(ValueError, match="are one weight, which a checkpoint"):
        train(encoder, sampler, validation_batches(HELD_OUT, settings, None), settings, tmp_path)
