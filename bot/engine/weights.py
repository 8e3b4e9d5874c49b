"""A persona's weights onto their device: which device, which dtype, in 16, 8 or 4 bit.

Imports torch and transformers late. Knows persona folders, adapters and their bases; doesn't know
how a model speaks.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.persona.base_model import find_base
from bot.persona.manifest import Persona, Quantization
from config.errors import EngineError
from config.settings import Engine

if TYPE_CHECKING:
    import torch

REAL = 200e6
"""Parameters from which a model is not put on the CPU unless it was asked for."""


def choose_device(persona: Persona, asked: str) -> str:
    """The device that was asked for; auto is the card, or the CPU for a toy."""
    import torch

    if asked == "auto":
        if torch.cuda.is_available():
            return "cuda:0"
        if size_of(persona) > REAL:
            raise EngineError(
                f"no GPU was found, and {persona.name} has {size_of(persona) / 1e9:.1f} billion parameters",
                hint="`mybot doctor` says why; --device cpu runs it on the CPU all the same, slowly",
            )
        return "cpu"
    try:
        device = torch.device(asked)
    except RuntimeError:
        raise EngineError(f"there is no device {asked!r}", hint="auto, cpu, cuda or cuda:1") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise EngineError(f"torch sees no {asked}", hint="`mybot doctor` says why; --device cpu needs no card")
    return "cuda:0" if asked == "cuda" else asked


def open_weights(folder: Path, persona: Persona, knobs: Engine, device: str) -> Any:
    """The model of a version folder, adapter and base put together."""
    import torch
    import transformers

    if device.startswith("cuda"):
        # Some libraries launch their kernels on the thread's own card, wherever the tensors are.
        torch.cuda.set_device(device)
    dtype = _dtype(persona, knobs, device)
    options: dict[str, Any] = {"dtype": dtype}
    if device != "cpu":
        options["device_map"] = {"": device}
    if knobs.attn_implementation != "auto":
        options["attn_implementation"] = knobs.attn_implementation
    if wanted := _quantization(persona, knobs):
        options["quantization_config"] = transformers.BitsAndBytesConfig(
            **wanted.model_dump(), bnb_4bit_compute_dtype=dtype
        )
    if persona.model.weights == "merged":
        return transformers.AutoModelForCausalLM.from_pretrained(folder, **options)

    from peft import PeftModel

    base = transformers.AutoModelForCausalLM.from_pretrained(
        find_base(folder, persona.model, knobs.base_model), revision=persona.model.revision or "main", **options
    )
    return PeftModel.from_pretrained(base, folder / "adapter").get_base_model()


def _quantization(persona: Persona, knobs: Engine) -> Quantization | None:
    """What the operator asks for; else an adapter's base is loaded as in training."""
    if knobs.load_in_8bit and knobs.load_in_4bit:
        raise EngineError("8 bit and 4 bit at once", hint="leave one of --load-in-8bit and --load-in-4bit")
    if knobs.load_in_8bit or knobs.load_in_4bit:
        return Quantization(load_in_8bit=knobs.load_in_8bit, load_in_4bit=knobs.load_in_4bit)
    return persona.model.quantization


def _dtype(persona: Persona, knobs: Engine, device: str) -> "torch.dtype":
    import torch

    if knobs.dtype != "auto":
        return getattr(torch, knobs.dtype)
    if device == "cpu":
        return torch.float32
    wanted: torch.dtype = getattr(torch, persona.model.dtype)
    if wanted is torch.bfloat16 and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.float16
    return wanted


def size_of(persona: Persona) -> float:
    """Parameters, by the manifest; unknown ones are reckoned from the size of the weights."""
    weights = sum(file.size for name, file in persona.files.items() if name.endswith(".safetensors"))
    return persona.model.parameters or weights / (4 if persona.model.dtype == "float32" else 2)


def safetensor_error() -> type[Exception]:
    """What the safetensors library raises, which imports torch."""
    from safetensors import SafetensorError

    return SafetensorError
