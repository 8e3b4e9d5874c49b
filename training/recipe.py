"""A training recipe: the [train] table over a preset, and what it means to TRL, PEFT and bitsandbytes.

Names are theirs, letter by letter, so that a knob can be looked up in their documentation.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from config.errors import SettingsError
from config.settings import ROOT, Train, knobs as knobs_of
from training import trackers

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig
    from trl.trainer.sft_config import SFTConfig

PRESETS = ROOT / "config" / "presets"
MANY_TOKENS = 20_000_000
"""Tokens of replies above which an adapter of rank 16 is small."""
FEW_REPLIES = 2000
"""Below so many replies an adapter learns them by heart without dropout."""


def resolve(knobs: Train) -> Train:
    """The recipe with its preset beneath: what was set by flag, variable or TOML wins."""
    if not knobs.preset:
        return knobs
    path = PRESETS / f"{knobs.preset}.toml"
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in PRESETS.glob("*.toml")))
        raise SettingsError(f"no preset {knobs.preset!r}", hint=f"one of {names}")
    preset = tomllib.loads(path.read_text(encoding="utf-8"))
    if wrong := [name for name in preset if name not in knobs_of(Train)]:
        raise SettingsError(f"{path.name} has no knob {wrong[0]!r}", hint="see [train] in config/mybot.toml")
    given = {name: getattr(knobs, name) for name in knobs.model_fields_set}
    try:
        return Train(**{**preset, **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SettingsError(f"{path.name}: {first['loc'][0]}: {first['msg'].lower()}", hint="mend the preset") from None


def remarks(knobs: Train, replies: int, tokens: int, parameters: int) -> list[str]:
    """Lines on an adapter of the wrong size for what there is to learn: `replies` of mine of `tokens` in all."""
    if knobs.loss_on != "mine":
        return []
    said: list[str] = []
    larger = max(32 if tokens > MANY_TOKENS else 0, -(-knobs.r * tokens // parameters) if tokens > parameters else 0)
    if larger > knobs.r:
        said.append(
            f"{tokens:,} tokens of replies for an adapter of {parameters:,} parameters: --r {larger} holds more"
        )
    if replies < FEW_REPLIES and not knobs.lora_dropout:
        said.append(f"{replies:,} turns of mine are few: --lora-dropout 0.05 keeps them from being learned by heart")
    return said


def compute_dtype(knobs: Train) -> "torch.dtype":
    """The dtype of the forward pass on this machine."""
    import torch

    if knobs.dtype != "auto":
        return getattr(torch, knobs.dtype)
    if not torch.cuda.is_available():
        return torch.float32
    # Emulated bfloat16 (V100, T4) is slower than float16 and no more exact.
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def quantization(knobs: Train) -> "BitsAndBytesConfig | None":
    """How bitsandbytes loads the base model; None for plain weights."""
    if not (knobs.load_in_4bit or knobs.load_in_8bit):
        return None
    if knobs.load_in_4bit and knobs.load_in_8bit:
        raise SettingsError("load_in_4bit and load_in_8bit are both on", hint="choose one of them")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=knobs.load_in_4bit,
        load_in_8bit=knobs.load_in_8bit,
        bnb_4bit_quant_type=knobs.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=knobs.bnb_4bit_use_double_quant,
        bnb_4bit_compute_dtype=compute_dtype(knobs),
    )


def lora(knobs: Train) -> "LoraConfig":
    """The adapter; SettingsError for knobs that don't go together."""
    from peft import LoraConfig

    _check_adapter(knobs)
    targets = knobs.target_modules
    # PEFT takes the name of each number of iterations, but its annotation only a placeholder.
    init: Any = knobs.init_lora_weights
    return LoraConfig(
        r=knobs.r,
        lora_alpha=knobs.lora_alpha,
        lora_dropout=knobs.lora_dropout,
        bias=knobs.bias,
        target_modules=targets if targets == "all-linear" else _names(targets),
        modules_to_save=_names(knobs.modules_to_save) or None,
        layers_to_transform=[int(number) for number in _names(knobs.layers_to_transform)] or None,
        use_dora=knobs.use_dora,
        use_rslora=knobs.use_rslora,
        init_lora_weights=True if init == "true" else init,
        task_type="CAUSAL_LM",
    )


def sft_config(knobs: Train, output_dir: Path, *, evaluate: bool) -> "SFTConfig":
    """The trainer's arguments. Windows are cut and labelled already, so TRL prepares nothing."""
    import torch
    from trl.trainer.sft_config import SFTConfig

    cuda = torch.cuda.is_available()
    dtype = compute_dtype(knobs)
    optim = knobs.optim if knobs.optim != "auto" else ("paged_adamw_8bit" if cuda else "adamw_torch")
    trackers.prepare(knobs)
    return SFTConfig(
        output_dir=str(output_dir),
        max_length=knobs.max_length,
        dataset_kwargs={"skip_prepare_dataset": True},
        packing=False,
        per_device_train_batch_size=knobs.per_device_train_batch_size,
        # The Trainer weighs batches, not tokens: only one window at a time gives the same held-out
        # loss whatever the batch size and the number of processes.
        per_device_eval_batch_size=1,
        # Elsewhere one batch is a whole update, and training/trainer.py cuts it into what fits.
        gradient_accumulation_steps=knobs.gradient_accumulation_steps if knobs.batching == "padded" else 1,
        learning_rate=knobs.learning_rate,
        lr_scheduler_type=knobs.lr_scheduler_type,
        warmup_steps=knobs.warmup_steps,
        num_train_epochs=knobs.num_train_epochs,
        max_steps=knobs.max_steps,
        optim=optim,
        max_grad_norm=knobs.max_grad_norm,
        weight_decay=knobs.weight_decay,
        neftune_noise_alpha=knobs.neftune_noise_alpha or None,
        gradient_checkpointing=cuda if knobs.gradient_checkpointing == "auto" else knobs.gradient_checkpointing == "on",
        bf16=dtype is torch.bfloat16,
        fp16=dtype is torch.float16,
        use_cpu=not cuda,
        eval_strategy=knobs.eval_strategy if evaluate else "no",
        save_strategy="steps" if knobs.save_steps else "no",
        save_steps=knobs.save_steps or 1,
        save_total_limit=2,
        logging_nan_inf_filter=False,
        logging_steps=knobs.logging_steps,
        report_to=knobs.report_to,
        disable_tqdm=True,
        dataloader_pin_memory=cuda,
        seed=knobs.seed,
        data_seed=knobs.seed,
    )


def _check_adapter(knobs: Train) -> None:
    if changes_base(knobs):
        if knobs.load_in_4bit or knobs.load_in_8bit:
            raise SettingsError(
                f"init_lora_weights = {knobs.init_lora_weights!r} changes the base model, and it is quantised",
                hint="leave load_in_4bit and load_in_8bit off, or init_lora_weights at true",
            )
        if knobs.use_dora:
            raise SettingsError(
                f"init_lora_weights = {knobs.init_lora_weights!r} and use_dora don't go together",
                hint="leave one of them out",
            )
    if knobs.layers_to_transform and knobs.target_modules == "all-linear":
        raise SettingsError(
            "layers_to_transform needs target_modules by name", hint='such as target_modules = "q_proj,v_proj"'
        )
    if any(not number.isdigit() for number in _names(knobs.layers_to_transform)):
        raise SettingsError(
            f"layers_to_transform = {knobs.layers_to_transform!r} is no list of numbers", hint="such as 0,1,2"
        )


def changes_base(knobs: Train) -> bool:
    """Whether the adapter begins with a part of the base model, which is taken out of that."""
    return knobs.init_lora_weights.startswith(("pissa", "olora"))


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]
