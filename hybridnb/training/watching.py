"""What looks on while the Trainer trains: the bar."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hybridnb.progress import progress


class Progress(TrainerCallback):
    """A bar of the steps, with the loss and the validation loss that were logged last."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.bar: tqdm[Any] | None = None
        self.shown: dict[str, str] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.is_world_process_zero and state.global_step:
            print(f"{self.title}  goes on from step {state.global_step}", flush=True)
        self.bar = progress(
            state.max_steps, self.title, "batch", start=state.global_step, show=state.is_world_process_zero
        )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self.bar is not None:
            self.bar.update(state.global_step - self.bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        self._show("loss", (logs or {}).get("loss"))

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        self._show("validation", (metrics or {}).get("eval_loss"))

    def _show(self, name: str, value: float | None) -> None:
        if value is not None and self.bar is not None:
            self.shown[name] = f"{value:.3f}"
            self.bar.set_postfix(self.shown, refresh=False)

    def close(self) -> None:
        """End the bar, whatever ended the training."""
        if self.bar is not None:
            self.bar.close()
