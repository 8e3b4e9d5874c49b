"""The forms in which a persona can be shipped, each written to a folder of its own.

runs/<name>/adapter ─▶ original   merged into the base as it was fetched
                    ─▶ dequant    merged into the base as QLoRA had rounded it
                    ─▶ adapter    beside the base, which is loaded as in training
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bot.persona.base_model import fingerprint
from bot.persona.manifest import Generation, Model, Quantization
from config.errors import TrainingError
from config.settings import Merge, Train
from training import base, merging, plan, recipe
from training.sft import RUN

if TYPE_CHECKING:
    import torch

Form = Literal["original", "dequant", "adapter"]
CHATS = 4
"""Conversations at full length that a card must have room for beside the weights."""


@dataclass(slots=True, frozen=True)
class Run:
    """What `mybot train` left."""

    path: Path
    manifest: dict[str, Any]
    train: Train

    @classmethod
    def read(cls, path: Path) -> "Run":
        """The run of a folder; TrainingError if none was finished there."""
        if not (path / RUN).is_file():
            raise TrainingError(f"{path} is no finished run: no {RUN}", hint="run `mybot train` first")
        manifest = json.loads((path / RUN).read_bytes())
        # A run may be older than this mybot, and know knobs that are gone.
        known = {name: value for name, value in manifest["recipe"].items() if name in Train.model_fields}
        return cls(path, manifest, Train(**known))

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def base(self) -> str:
        """Folder or hub name of the base model."""
        return self.manifest["base_model"]

    @property
    def dtype(self) -> "torch.dtype":
        """The compute dtype of the training."""
        return dtype_of(self.manifest["dtype"]) if "dtype" in self.manifest else recipe.compute_dtype(self.train)

    @property
    def quantization(self) -> Quantization | None:
        """How bitsandbytes loaded the base model."""
        if not (self.train.load_in_4bit or self.train.load_in_8bit):
            return None
        return Quantization(**{name: getattr(self.train, name) for name in Quantization.model_fields})


def candidates(knobs: Merge, run: Run, *, fits: bool) -> list[Form]:
    """The forms to choose from; the first is taken where nothing can be measured."""
    ways: list[Form] = ["original"]
    if run.quantization:
        # Rounded weights are what a 4-bit adapter was fitted to; in 8 bit there is hardly a difference.
        both: list[Form] = ["dequant", "original"] if run.train.load_in_4bit else ["original", "dequant"]
        ways = [way for way in both if knobs.way in ("auto", way)]
    elif knobs.way == "dequant":
        raise TrainingError("the base model was not quantised in training", hint="leave --way at auto")
    if knobs.weights == "merged":
        return ways
    if knobs.weights == "adapter":
        return ["adapter"]
    return ways if fits else ["adapter", *ways]


def fits_card(sizes: plan.Sizes, context: int, card_memory: float) -> bool:
    """Whether the weights in 16 bit and a few conversations fit the serving card; without any card they do."""
    import torch

    memory = card_memory or (torch.cuda.mem_get_info()[1] / plan.GIB if torch.cuda.is_available() else 0.0)
    cache = CHATS * context * sizes.layers * 2 * sizes.kv * 2
    return not memory or (sizes.parameters * 2 + cache) / plan.GIB + plan.CONTEXT <= memory


def write(
    run: Run,
    form: Form,
    folder: Path,
    version: Path,
    *,
    dtype: "torch.dtype",
    memory: float,
    on_shard: merging.OnShard = lambda done, of: None,
) -> Model:
    """Fill an empty folder with a form. `version` is where it will lie in the end, `memory` in bytes."""
    tokenizer = base.saved_tokenizer(run.adapter)
    ends = end_tokens(run, tokenizer)
    model = _adapter(run, folder, version)
    if form == "adapter":
        config = base.load_config(run.base, run.train.revision)
        revision = run.train.revision or getattr(config, "_commit_hash", None) or ""
        model = model.model_copy(update={"revision": revision, "dtype": name_of(run.dtype)})
    else:
        mapped = base.map_model(run.base, run.train.revision)
        config = mapped.config
        config.dtype, config.architectures = dtype, [type(mapped).__name__]
        parameters = merging.merge(
            mapped,
            run.adapter,
            folder,
            dtype=dtype,
            size=merging.shard_size(mapped, run.adapter, dtype, memory),
            rounding=merging.Rounding(run.quantization, run.dtype) if form == "dequant" and run.quantization else None,
            on_shard=on_shard,
        )
        model = Model(
            base=model.base,
            license=model.license,
            revision=run.train.revision,
            dtype=name_of(dtype),
            parameters=parameters,
            context=model.context,
        )
    config.eos_token_id, config.pad_token_id = ends, tokenizer.pad_token_id
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def write_generation_config(folder: Path, generation: Generation) -> None:
    """How other servers shall draw when nobody tells them: as the persona itself."""
    from transformers import AutoConfig, GenerationConfig

    config = AutoConfig.from_pretrained(folder)
    drawn = {name: getattr(generation, name) for name in ("temperature", "top_p", "top_k", "min_p")}
    GenerationConfig(
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        repetition_penalty=generation.repetition_penalty,
        max_new_tokens=generation.max_tokens,
        do_sample=generation.temperature > 0,
        **(drawn if generation.temperature > 0 else {}),
    ).save_pretrained(folder)


def _adapter(run: Run, folder: Path, version: Path) -> Model:
    """The adapter itself, without what training keeps beside it and without this machine's paths."""
    ignored = shutil.ignore_patterns("training_args.bin", "README.md", "*.pt", "*.pth")
    shutil.copytree(run.adapter, folder / "adapter", ignore=ignored)
    place = Path(run.base)
    local = place.is_dir()
    name = place.name if local else run.base
    path = folder / "adapter" / "adapter_config.json"
    config = json.loads(path.read_bytes()) | {"base_model_name_or_path": name}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return Model(
        base=name,
        weights="adapter",
        folder=Path(os.path.relpath(place, version)).as_posix() if local else "",
        fingerprint=fingerprint(place) if local else "",
        quantization=run.quantization,
        license=_license(run),
        context=run.train.max_length,
    )


def _license(run: Run) -> str:
    """The licence that the base model's card names, where the card is at hand."""
    from huggingface_hub import try_to_load_from_cache

    place = Path(run.base)
    card = (
        place / "README.md"
        if place.is_dir()
        else try_to_load_from_cache(run.base, "README.md", revision=run.train.revision or "main")
    )
    if not isinstance(card, str | Path) or not Path(card).is_file():
        return ""
    head = Path(card).read_text(encoding="utf-8", errors="replace").split("\n---", 1)[0].splitlines()
    found = {
        name: value.strip() for name, _, value in (line.partition(":") for line in head) if name.startswith("license")
    }
    return found.get("license_name") or found.get("license") or ""


def end_tokens(run: Run, tokenizer: Any) -> list[int]:
    """Every token at which somebody who loads the persona must stop."""
    from transformers import GenerationConfig

    own: Any = base.load_config(run.base, run.train.revision).get_text_config().eos_token_id
    try:
        generation = GenerationConfig.from_pretrained(run.base, revision=run.train.revision or "main")
    except OSError:
        generation = GenerationConfig()
    return sorted({tokenizer.eos_token_id, *_ids(own), *_ids(generation.eos_token_id)})


def _ids(value: Any) -> list[int]:
    return [] if value is None else [value] if isinstance(value, int) else list(value)


def dtype_of(name: str) -> "torch.dtype":
    import torch

    return getattr(torch, name)


def name_of(dtype: "torch.dtype") -> Any:
    return str(dtype).removeprefix("torch.")
