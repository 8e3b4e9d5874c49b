"""However an update is cut, the loss is the mean over its trained tokens and the gradient the same."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from config.errors import TrainingError
from config.settings import Train
from tests.training.test_running import windows_of
from training import base, running
from training.trainer import Rows, silent
from training.windows import IGNORE

LEARN: dict[str, Any] = {
    "max_length": 192, "r": 4, "optim": "adamw_torch", "max_steps": 1, "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 2, "learning_rate": 1e-3, "warmup_steps": 0, "save_steps": 0, "logging_steps": 1,
}  # fmt: skip


class Everywhere:
    """As TRL does it: logits of every token."""

    @contextlib.contextmanager
    def only(self, inputs: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield inputs


def trainer_of(toy: Path, data: Path, scratch: Path, **more: Any) -> Any:
    knobs = Train(**{**LEARN, **more}, base_model=str(toy))
    windows = windows_of(toy, data)
    trainer = running._trainer(knobs, base.load_tokenizer(str(toy)), windows, windows[:3], scratch, [])
    trainer.create_optimizer()
    return trainer


def gradient(trainer: Any, rows: list[Any], limit: int) -> tuple[float, torch.Tensor]:
    """Loss and gradient of one step on these windows."""
    trainer.limit = limit
    trainer.model.zero_grad()
    batch = Rows.of(rows)
    count = trainer._get_num_items_in_batch([batch], trainer.args.device)
    loss = float(trainer.training_step(trainer.model, batch, count))
    found = [p.grad.flatten() for p in trainer.model.parameters() if p.requires_grad and p.grad is not None]
    return loss, torch.cat(found)


@pytest.fixture(scope="module")
def grouped(toy: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    trainer = trainer_of(toy, data, tmp_path_factory.mktemp("grouped"))
    assert trainer.batching == "grouped"
    draw = torch.Generator().manual_seed(1)
    for name, parameter in trainer.model.named_parameters():
        if "lora_B" in name:
            # A fresh adapter's gradient is zero in half of its parts.
            parameter.data = torch.randn(parameter.shape, generator=draw) * 0.05
    return trainer


@pytest.fixture(scope="module")
def mixed(grouped: Any) -> list[Any]:
    rows = sorted(grouped._windows._rows, key=lambda row: len(row["input_ids"]))
    return [*rows[:4], *rows[-3:]]


def test_the_loss_is_the_mean_over_trained_tokens(grouped: Any, mixed: list[Any]) -> None:
    """By hand: one window at a time, without any batch."""
    total, count = 0.0, 0
    with torch.no_grad():
        for row in mixed:
            ids, labels = torch.tensor([row["input_ids"]]), torch.tensor(row["labels"][1:])
            logits = grouped.model(input_ids=ids).logits[0, :-1]
            total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum", ignore_index=-100))
            count += int((labels != -100).sum())
    loss, _ = gradient(grouped, mixed, 10_000)
    assert loss == pytest.approx(total / count, rel=1e-5)


def test_logits_at_the_labels_alone_give_the_same_loss_and_gradient(grouped: Any, mixed: list[Any]) -> None:
    shapes: list[tuple[int, ...]] = []
    backbone = grouped.model.get_base_model().model
    hook = backbone.register_forward_hook(lambda m, a, out: shapes.append(tuple(out.last_hidden_state.shape[:2])))
    alone, held = grouped._labelled, grouped.evaluate()["eval_loss"]
    try:
        shapes.clear()
        loss, cut = gradient(grouped, mixed, 10_000)
        labels = sum(label != IGNORE for row in mixed for label in row["labels"][1:])
        assert shapes == [(1, labels)]
        grouped._labelled = Everywhere()
        whole_loss, whole = gradient(grouped, mixed, 10_000)
        assert shapes[1] == (len(mixed), max(len(row["input_ids"]) for row in mixed))
        assert shapes[1][0] * shapes[1][1] > 3 * labels
        assert loss == pytest.approx(whole_loss, rel=1e-5)
        assert float((cut - whole).norm() / whole.norm()) < 1e-5
        assert grouped.evaluate()["eval_loss"] == pytest.approx(held, rel=1e-5)
    finally:
        grouped._labelled = alone
        hook.remove()


def test_a_share_without_any_label_has_a_gradient_of_nothing(grouped: Any, mixed: list[Any]) -> None:
    """What a process computes that got no window of an update: it must keep step with the others."""
    loss, none = gradient(grouped, [silent(mixed[0])], 10_000)
    assert loss == 0
    assert len(none) > 0
    assert not none.any()


@pytest.mark.parametrize("limit", [1, 200, 500])
def test_smaller_micro_batches_give_the_same_gradient(grouped: Any, mixed: list[Any], limit: int) -> None:
    whole_loss, whole = gradient(grouped, mixed, 10_000)
    before = grouped.computed
    loss, cut = gradient(grouped, mixed, limit)
    assert loss == pytest.approx(whole_loss, rel=1e-5)
    assert float((cut - whole).norm() / whole.norm()) < 1e-5
    assert grouped.computed - before <= sum(max(limit, len(row["input_ids"])) for row in mixed)


def test_packed_windows_give_the_same_gradient(
    grouped: Any, mixed: list[Any], toy: Path, data: Path, tmp_path: Path
) -> None:
    packed = trainer_of(toy, data, tmp_path, batching="packed")
    assert packed.batching == "packed"
    packed.model.load_state_dict(grouped.model.state_dict())
    shapes: list[tuple[int, ...]] = []
    packed.model.register_forward_pre_hook(lambda m, a, k: shapes.append(tuple(k["input_ids"].shape)), with_kwargs=True)
    whole_loss, whole = gradient(grouped, mixed, 10_000)
    tokens = sum(len(row["input_ids"]) for row in mixed)
    for limit, passes in ((10_000, 1), (tokens // 2 + 100, 2)):
        shapes.clear()
        loss, end_to_end = gradient(packed, mixed, limit)
        assert sum(width for _, width in shapes) == tokens
        assert [rows for rows, _ in shapes] == [1] * passes
        assert loss == pytest.approx(whole_loss, rel=1e-5)
        assert float((end_to_end - whole).norm() / whole.norm()) < 1e-4


def test_out_of_memory_in_the_middle_of_a_step_leaves_no_trace(grouped: Any, mixed: list[Any]) -> None:
    _, whole = gradient(grouped, mixed, 10_000)
    room = 2 * max(len(row["input_ids"]) for row in mixed)

    def refuse(_module: Any, _args: Any, output: Any) -> None:
        # In the backward pass, when part of the gradient is there already.
        if output[0].shape[0] * output[0].shape[1] > room and output[0].requires_grad:
            output[0].register_hook(lambda _: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory")))

    hook = grouped.model.get_base_model().model.layers[0].self_attn.register_forward_hook(refuse)
    try:
        _, cut = gradient(grouped, mixed, 10_000)
    finally:
        hook.remove()
    assert grouped.limit <= room
    assert float((cut - whole).norm() / whole.norm()) < 1e-5


def test_a_single_window_that_does_not_fit_is_said(grouped: Any, mixed: list[Any]) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    hook = grouped.model.register_forward_pre_hook(full)
    try:
        with pytest.raises(TrainingError, match="single window"):
            gradient(grouped, mixed, 10_000)
        with pytest.raises(TrainingError, match="held-out window"):
            grouped.evaluate()
    finally:
        hook.remove()


def test_held_out_loss_is_tried_once_more_after_the_cache_is_emptied(grouped: Any) -> None:
    wanted = grouped.evaluate()["eval_loss"]
    calls = 0

    def once(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = grouped.model.register_forward_pre_hook(once)
    try:
        assert grouped.evaluate()["eval_loss"] == pytest.approx(wanted, rel=1e-6)
    finally:
        hook.remove()
