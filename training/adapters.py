"""The adapter on its way into the model and out to disk.

PiSSA and OLoRA begin with a part of the base model, which PEFT takes out of the base's weights. What
is saved is always an ordinary adapter for the base model as it was fetched: the update is what was
learned minus what it began with, a LoRA of twice the rank (W - A₀B₀ + AB = W + [A A₀][B -B₀]).
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.settings import Train
from training import recipe
from training.fetched import name_of

if TYPE_CHECKING:
    import torch

START = "mybot_start"
"""The attribute of a model under training that holds what its adapter began with."""


def remember_start(model: Any, knobs: Train) -> None:
    """Keep what the adapter begins with, where the base model was changed for it. Call it before training."""
    if recipe.changes_base(knobs):
        from peft import get_peft_model_state_dict

        state = get_peft_model_state_dict(model)
        setattr(model, START, {name: weights.detach().clone().cpu() for name, weights in state.items()})


def save(model: Any, folder: Path) -> None:
    """Write the adapter of a model under training, for the base model as it was fetched."""
    # The embeddings are never resized; "auto" would ask the hub for the base's vocabulary.
    model.save_pretrained(folder, save_embedding_layers=False)
    start = getattr(model, START, None)
    if start is not None:
        _as_plain(folder, start)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_bytes())
    config["base_model_name_or_path"] = name_of(config["base_model_name_or_path"] or "")
    _write(path, config)
    (folder / "README.md").unlink(missing_ok=True)


def _as_plain(folder: Path, start: "dict[str, torch.Tensor]") -> None:
    """Rewrite a saved adapter as one of twice the rank that needs no change of the base model."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = folder / "adapter_model.safetensors"
    learned = load_file(weights)
    for name, value in learned.items():
        before = start[name].to(value.dtype)
        if ".lora_A." in name:
            learned[name] = torch.cat([value, before]).contiguous()
        elif ".lora_B." in name:
            learned[name] = torch.cat([value, -before], dim=1).contiguous()
    save_file(learned, weights, metadata={"format": "pt"})
    path = folder / "adapter_config.json"
    config = json.loads(path.read_bytes())
    # The scale stays: alpha / r, or alpha / √r for rsLoRA.
    config["lora_alpha"] = config["lora_alpha"] * (2**0.5 if config["use_rslora"] else 2)
    config["r"] *= 2
    config["init_lora_weights"] = True
    _write(path, config)


def _write(path: Path, config: dict[str, Any]) -> None:
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
