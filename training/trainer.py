"""TRL's SFTTrainer with updates and micro-batches of our own: as many tokens at once as fit.

One batch of the Trainer is one update, its windows still apart; a step cuts them into micro-batches
under `limit` and adds up their gradients. The Trainer divides by the trained tokens of the whole
update, so that the loss is their mean however they were cut. Where memory runs out, the
limit is halved and the same update done again.
"""

import contextlib
import gc
from dataclasses import dataclass, replace
from typing import Any

import torch
from rich.console import Console
from torch.utils.data import DataLoader
from transformers import TrainerCallback
from trl.trainer.sft_trainer import SFTTrainer

from config.errors import TrainingError
from training.batching import Updates, cost, micro_batches
from training.labelled import Labelled
from training.windows import IGNORE

console = Console(stderr=True, highlight=False)

Row = dict[str, list[int]]
"""A window as a row: `input_ids` and `labels`."""


@dataclass(slots=True)
class Rows:
    """The windows of one batch, not yet padded."""

    rows: list[Row]

    @classmethod
    def of(cls, rows: list[Row]) -> dict[str, Any]:
        """What the Trainer counts labels in, beside the windows themselves."""
        # The first label of a window is nobody's prediction.
        labels = torch.tensor([label for row in rows for label in row["labels"][1:]])
        return {"rows": cls(rows), "labels": labels, "shift_labels": labels}


class Windows:
    """The rows by index; ~i is row i without loss."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        return self._rows[index] if index >= 0 else silent(self._rows[~index])


def silent(row: Row) -> Row:
    """The row without loss."""
    return {**row, "labels": [IGNORE] * len(row["labels"])}


class Trainer(SFTTrainer):
    """`limit`: tokens that pass through the model at once. `computed`, `useful`: padded and real tokens so far.
    `largest`: lengths of the windows of the largest micro-batch of the last step. `shrunk`: steps at which the
    limit was lowered, and to how many tokens.

    Without `updates` the Trainer's own batches are taken: a fixed number of windows in random order.
    """

    def __init__(self, *, rows: list[Row], updates: Updates | None, limit: int, batching: str, **options: Any) -> None:
        super().__init__(**options)
        self.updates, self.limit, self.batching = updates, limit, batching
        self.packed = batching == "packed"
        self.computed = self.useful = 0
        self.largest: list[int] = []
        self.shrunk: list[dict[str, int]] = []
        self._latest: list[int] = []
        self._windows = Windows(rows)
        self._pad = replace(self.data_collator, padding_free=self.packed)  # pyright: ignore[reportArgumentType]
        self.data_collator = Rows.of
        tuned: Any = self.model
        self._labelled = Labelled(tuned.get_base_model())
        if updates is not None:
            self.add_callback(_Epochs(updates))

    def get_train_dataloader(self) -> DataLoader[Any]:
        if self.updates is None:
            return super().get_train_dataloader()
        loader: Any = DataLoader(self._windows, batch_sampler=self.updates, collate_fn=Rows.of)  # pyright: ignore[reportArgumentType]
        return self.accelerator.prepare(loader)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        rows: list[Row] = inputs["rows"].rows
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        # Only with the Trainer's own batches are there gradients of earlier ones of this update.
        before = {parameter: parameter.grad.clone() for parameter in trained if parameter.grad is not None}
        while True:
            with contextlib.suppress(torch.OutOfMemoryError):
                return self._in_micro_batches(model, rows, num_items_in_batch)
            for parameter in trained:
                parameter.grad = before.get(parameter)
            self.shrink("out of memory", self._latest)

    def _in_micro_batches(self, model: Any, rows: list[Row], count: Any) -> torch.Tensor:
        lengths = [len(row["input_ids"]) for row in rows]
        loss = torch.zeros((), device=self.args.device)
        self.largest = []
        cuts = micro_batches(lengths, self.limit, packed=self.packed, at_least=self._in_step(lengths))
        for place, cut in enumerate(cuts):
            taken = [rows[i] if i >= 0 else silent(rows[~i]) for i in cut]
            sizes = [len(row["input_ids"]) for row in taken]
            self._latest = sizes
            self.largest = max(self.largest, sizes, key=lambda of: cost(of, packed=self.packed))
            last = place == len(cuts) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model=model):
                loss += super().training_step(model, self._pad(taken), count)
            self.computed += cost(sizes, packed=self.packed)
        self.useful += sum(lengths)
        return loss

    def _in_step(self, lengths: list[int]) -> int:
        """Micro-batches of the process that needs most of them: TRL gathers its metrics after each."""
        if self.accelerator.num_processes == 1:
            return 1
        own = len(micro_batches(lengths, self.limit, packed=self.packed))
        return int(self.accelerator.gather(torch.tensor([own], device=self.args.device)).max())  # pyright: ignore[reportAttributeAccessIssue]

    def compute_loss(self, model: Any, inputs: dict[str, Any], *more: Any, **options: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        with self._labelled.only(inputs) as labelled:
            return super().compute_loss(model, labelled, *more, **options)

    def shrink(self, why: str, lengths: list[int]) -> None:
        """Half the tokens of these windows at once from now on; TrainingError where that can't be."""
        if len(lengths) == 1:
            raise TrainingError(
                f"{why} with a single window of {lengths[0]} tokens", hint="`mybot plan` says what to change"
            )
        if self.accelerator.num_processes > 1:
            # The others wait for this process's gradients in the middle of a step.
            raise TrainingError(
                f"{why} on one of several cards",
                hint="halve --per-device-train-batch-size and double --gradient-accumulation-steps",
            )
        self.limit = cost(lengths, packed=self.packed) // 2
        self.shrunk.append({"step": self.state.global_step, "micro_batch": self.limit})
        gc.collect()
        torch.cuda.empty_cache()
        console.print(f"{why}: going on with {self.limit:,} tokens at once")

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        """As ever, but nothing is drawn from the random state that the next step's dropout goes on with."""
        cards = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices=cards):
            return super().evaluate(*args, **options)

    def prediction_step(self, model: Any, inputs: dict[str, Any], *more: Any, **options: Any) -> Any:
        rows: list[Row] = inputs["rows"].rows
        for _ in range(2):
            with contextlib.suppress(torch.OutOfMemoryError):
                return super().prediction_step(model, self._pad(rows), *more, **options)
            # What training left cached may be all that is missing.
            gc.collect()
            torch.cuda.empty_cache()
        raise TrainingError(
            f"out of memory with a held-out window of {len(rows[0]['input_ids'])} tokens",
            hint="`mybot plan` says what to change",
        )


class _Epochs(TrainerCallback):
    """Tells the updates which epoch begins, also after a break."""

    def __init__(self, updates: Updates) -> None:
        self._updates = updates

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # accelerate's own way stops at the wrapper of the batches of several processes.
        self._updates.epoch = state.global_step // self._updates.an_epoch
