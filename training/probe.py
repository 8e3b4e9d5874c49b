"""May windows be laid end to end? Asked of the model itself, before training.

A row of several windows is cheap where the attention kernel computes each apart, and wrong where
the model lets one see another: recurrent layers carry their state over, some masks don't part
them. Two rows packed against the same rows alone tell, whatever the architecture.
"""

from typing import TYPE_CHECKING, Any

from rich.console import Console

from config.settings import Train

if TYPE_CHECKING:
    import torch

console = Console(stderr=True, highlight=False)

LENGTHS = (23, 17)
"""Tokens of the two rows."""
TOLERANCE = {"float32": 1e-4, "float16": 0.02, "bfloat16": 0.03}
"""Relative logit error that is rounding alone; rows that see each other are at least several times that."""


def batching(model: Any, knobs: Train) -> str:
    """What the knob `batching` comes to with this model on this machine: packed, grouped or padded."""
    from training.attention import use_varlen

    if knobs.batching in ("grouped", "padded"):
        return knobs.batching
    plain = model.config._attn_implementation
    if not use_varlen(model, knobs.attn_implementation) and knobs.batching == "auto":
        return "grouped"
    try:
        error = leak(model)
    except (RuntimeError, ValueError, NotImplementedError, TypeError, ImportError) as reason:
        problem = f"this model can't be packed ({str(reason).splitlines()[0][:80]})"
    else:
        allowed = TOLERANCE[str(model.dtype).removeprefix("torch.")]
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

    vocabulary = model.get_input_embeddings().num_embeddings
    draw = torch.Generator().manual_seed(0)
    rows = [torch.randint(vocabulary, (length,), generator=draw) for length in LENGTHS]
    was_training = model.training
    model.eval()
    # The weights may be quantised: the way back begins at the embeddings.
    hook = model.get_input_embeddings().register_forward_hook(lambda _m, _i, out: out.detach().requires_grad_())
    try:
        together = model(**_end_to_end(model, rows), use_cache=False).logits[0]
        together.float().sum().backward()
        with torch.no_grad():
            alone = [model(input_ids=row[None].to(model.device), use_cache=False).logits[0].float() for row in rows]
    finally:
        hook.remove()
        model.zero_grad()
        model.train(was_training)
    parts = zip(together.detach().float().split(list(LENGTHS)), alone, strict=True)
    return max(float((packed - own).norm() / own.norm()) for packed, own in parts)


def _end_to_end(model: Any, rows: "list[torch.Tensor]") -> dict[str, Any]:
    """The rows as training feeds them: no mask, because with one of all ones they are taken for one window."""
    import torch
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    lay = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
    batch: dict[str, Any] = lay([{"input_ids": row.tolist(), "labels": row.tolist()} for row in rows])
    batch.pop("labels")
    return {name: v.to(model.device) if isinstance(v, torch.Tensor) else v for name, v in batch.items()}
