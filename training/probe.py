"""May windows be laid end to end? Asked of the model itself, before training.

A row of several windows is cheap where the attention kernel computes each apart, and wrong where
the model lets one see another: recurrent layers carry their state over, some masks don't part
them. Two rows packed against the same rows alone tell, whatever the architecture.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from config.settings import Train

if TYPE_CHECKING:
    import torch

console = Console(stderr=True, highlight=False)

LENGTHS = (23, 17)
"""Tokens of the two rows."""
TOLERANCE = {"float32": 1e-4, "float16": 0.02, "bfloat16": 0.03}
"""Relative logit error that is rounding in any model; rows that see each other are at least several times that."""
ROUNDING = 2.0
"""Times the error that the same rows have in a padded batch, where that is more: deep models round more (0.04 in
bfloat16 was measured on 40 layers of random weights, against 1.4 of rows that do see each other)."""


def batching(model: Any, knobs: Train) -> str:
    """What the knob `batching` comes to with this model on this machine: packed, grouped or padded."""
    from training.attention import use_varlen

    if knobs.batching in ("grouped", "padded"):
        return knobs.batching
    plain = model.config._attn_implementation
    if not use_varlen(model, knobs.attn_implementation) and knobs.batching == "auto":
        return "grouped"
    if getattr(model, "is_loaded_in_4bit", False) and model.device.type == "cpu":
        # bitsandbytes repacks its weights there in the first forward that isn't training's.
        console.print("packing can't be probed in 4 bit on a CPU: batches are grouped by length instead")
        return "grouped"
    try:
        error = leak(model)
    except (RuntimeError, ValueError, NotImplementedError, TypeError, ImportError) as reason:
        problem = f"this model can't be packed ({str(reason).splitlines()[0][:80]})"
    else:
        allowed = max(TOLERANCE[str(model.dtype).removeprefix("torch.")], ROUNDING * rounding(model))
        if error <= allowed:
            return "packed"
        problem = f"packed windows see each other in this model (error {error:.1e})"
    if model.config._attn_implementation != plain:
        model.set_attn_implementation(plain)
    console.print(f"{problem}: batches are grouped by length instead")
    return "grouped"


def leak(model: Any) -> float:
    """Relative logit error of two packed rows against the same rows alone: the worse of the two.

    Alone they are plain rows, so that the packed ones' kernel is compared with the ordinary one. What
    can't be computed, the way back through the packed row included, raises.
    """
    import torch

    rows = _rows(model)
    was_training = model.training
    model.eval()
    # The weights may be quantised: the way back begins at the embeddings.
    hook = model.get_input_embeddings().register_forward_hook(lambda _m, _i, out: out.detach().requires_grad_())
    try:
        together = model(**_end_to_end(model, rows), use_cache=False).logits[0]
        together.float().sum().backward()
        with torch.no_grad():
            alone = _alone(model, rows)
    finally:
        hook.remove()
        model.zero_grad()
        model.train(was_training)
    return _worst(together.detach().split(list(LENGTHS)), alone)


def rounding(model: Any) -> float:
    """The same error of the two rows padded to one batch, which no architecture lets see each other: the worse one."""
    import torch

    rows = _rows(model)
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        batch = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device), use_cache=False).logits
        error = _worst([batch[place, : len(row)] for place, row in enumerate(rows)], _alone(model, rows))
    model.train(was_training)
    return error


def _rows(model: Any) -> "list[torch.Tensor]":
    import torch

    vocabulary = model.get_input_embeddings().num_embeddings
    draw = torch.Generator().manual_seed(0)
    return [torch.randint(vocabulary, (length,), generator=draw) for length in LENGTHS]


def _alone(model: Any, rows: "list[torch.Tensor]") -> "list[torch.Tensor]":
    return [model(input_ids=row[None].to(model.device), use_cache=False).logits[0] for row in rows]


def _worst(computed: "Sequence[torch.Tensor]", alone: "Sequence[torch.Tensor]") -> float:
    """Relative error of the logits of each row, the largest."""
    pairs = [(one.float(), own.float()) for one, own in zip(computed, alone, strict=True)]
    return max(float((one - own).norm() / own.norm()) for one, own in pairs)


def _end_to_end(model: Any, rows: "list[torch.Tensor]") -> dict[str, Any]:
    """The rows as training feeds them: no mask, because with one of all ones they are taken for one window."""
    import torch
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    lay = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
    batch: dict[str, Any] = lay([{"input_ids": row.tolist(), "labels": row.tolist()} for row in rows])
    batch.pop("labels")
    return {name: v.to(model.device) if isinstance(v, torch.Tensor) else v for name, v in batch.items()}
