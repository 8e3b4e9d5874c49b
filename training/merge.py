"""`mybot merge`: adapter + base model → a sealed persona version; `current` switched last.

Runs in a process of its own, never on the trained object: an evaluation repacks quantised
weights, and a later merge would be off. A 4-bit base is dequantised first, because the adapter
was trained against just those rounded weights.
"""

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.persona.behaviour import Behaviour
from bot.persona.manifest import Generation, Model, Persona, Provenance, make_current
from bot.persona.prompt import PromptSpec
from config.errors import TrainingError
from config.settings import ROOT, Merge, Train
from training import base, recipe
from training.report import show
from training.sft import RUN

if TYPE_CHECKING:
    import torch

SHARD = "4GB"
PROBE = ("在吗", "今天吃什么", "好的", "为什么这么晚还没睡", "周末出来玩")
"""Texts whose logits are compared before and after the merge."""


def main(knobs: Merge) -> None:
    manifest = read_run(knobs.run)
    name = knobs.name or knobs.run.resolve().name
    target = knobs.personas / name
    scratch = target / f".{os.getpid()}.part"
    scratch.mkdir(parents=True)
    try:
        error, parameters, dtype = _merge(knobs, manifest, scratch)
        persona = Persona(
            name=name,
            model=Model(
                base=Path(manifest["base_model"]).name
                if Path(manifest["base_model"]).is_dir()
                else manifest["base_model"],
                revision=manifest["recipe"]["revision"],
                dtype=dtype,
                parameters=parameters,
                context=manifest["recipe"]["max_length"],
            ),
            prompt=PromptSpec(**manifest["prompt"]),
            generation=Generation(
                temperature=knobs.temperature,
                top_p=knobs.top_p,
                max_tokens=knobs.max_tokens,
                repetition_penalty=knobs.repetition_penalty,
            ),
            behaviour=Behaviour(**manifest["behaviour"]),
            provenance=Provenance(
                mybot="0.1.0",
                created=datetime.now(timezone.utc),
                data=manifest["data"],
                recipe={k: v for k, v in manifest["recipe"].items() if isinstance(v, str | int | float | bool)},
                losses=manifest["losses"],
                merge_error=error,
                packages=manifest["packages"],
            ),
        ).seal(scratch)
        version = target / f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{persona.hash[:4]}"
        scratch.replace(version)
        if knobs.make_current:
            make_current(version)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    show(
        f"persona: {version}",
        {"version": str(version), "hash": persona.hash, "parameters": parameters, "dtype": dtype, "merge_error": error},
        as_json=knobs.as_json,
    )


def in_a_fresh_process(run: Path, personas: Path, *more: str) -> None:
    """`mybot merge` as a process of its own; its two-line error becomes ours."""
    command = [sys.executable, str(ROOT / "mybot.py"), "merge", str(run), "--personas", str(personas), "--json", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        last = done.stderr.strip().splitlines() or ["no message"]
        raise TrainingError(f"the merge failed: {last[-1]}", hint="run `mybot merge` by hand to see all of it")


def read_run(run: Path) -> dict[str, Any]:
    """What `mybot train` wrote of a run."""
    path = run / RUN
    if not path.is_file():
        raise TrainingError(f"{run} is no finished run: no {RUN}", hint="run `mybot train` first")
    return json.loads(path.read_bytes())


def _merge(knobs: Merge, manifest: dict[str, Any], folder: Path) -> tuple[float, int, Any]:
    """Write weights, tokenizer and adapter; returns the logit error, the parameters and the dtype."""
    import torch

    base.quiet()
    train = Train(**manifest["recipe"])
    tokenizer = base.saved_tokenizer(knobs.run / "adapter")
    compute = recipe.compute_dtype(train)
    dtype = _dtype(knobs.dtype, compute)
    quantization = recipe.quantization(train)
    where = {"revision": train.revision, "dtype": compute}
    trained = _with_adapter(base.load_model(manifest["base_model"], **where, quantization=quantization), knobs.run)
    before = _logits(trained, tokenizer)
    if train.load_in_4bit:
        del trained
        rounded = base.load_model(manifest["base_model"], **where, quantization=quantization)
        trained = _with_adapter(rounded.dequantize(), knobs.run)
    elif train.load_in_8bit:
        del trained
        trained = _with_adapter(base.load_model(manifest["base_model"], **where), knobs.run)
    merged: Any = trained.merge_and_unload(safe_merge=True)
    merged = merged.to(dtype).eval()
    after = _logits(merged, tokenizer)
    if not torch.isfinite(after).all():
        raise TrainingError("the merged weights give no finite numbers", hint="train again with a lower learning rate")
    ends = sorted({tokenizer.eos_token_id, *_ids(merged.generation_config.eos_token_id)})
    merged.generation_config.update(eos_token_id=ends, pad_token_id=tokenizer.pad_token_id, do_sample=False)
    merged.config.eos_token_id = ends
    merged.save_pretrained(folder, max_shard_size=SHARD)
    tokenizer.save_pretrained(folder)
    shutil.copytree(
        knobs.run / "adapter", folder / "adapter", ignore=shutil.ignore_patterns("training_args.bin", "README.md")
    )
    error = float((after - before).norm() / before.norm())
    return round(error, 6), sum(p.numel() for p in merged.parameters()), str(dtype).removeprefix("torch.")


def _with_adapter(model: Any, run: Path) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(run / "adapter")).eval()


def _dtype(asked: str, compute: "torch.dtype") -> "torch.dtype":
    import torch

    return compute if asked == "auto" else getattr(torch, asked)


def _logits(model: Any, tokenizer: Any) -> "torch.Tensor":
    """The last logits of the probe texts, in float32 on the CPU."""
    import torch

    rows = []
    with torch.no_grad():
        for text in PROBE:
            ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]], device=model.device)
            rows.append(model(ids).logits[0, -1].float().cpu())
    return torch.stack(rows)


def _ids(value: Any) -> list[int]:
    return [] if value is None else [value] if isinstance(value, int) else list(value)
