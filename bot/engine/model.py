"""A persona's weights on their device: loading in 16, 8 or 4 bit, and one batch through `generate()`.

The only file of the engine that imports transformers, and only when a model is loaded. Knows
nothing of HTTP, queues and threads: whoever calls `generate` must be the only one.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.engine.rows import Row, Steps
from bot.engine.sampling import Draw
from bot.engine.text import TextStream
from bot.persona.base_model import find_base
from bot.persona.manifest import Persona, Quantization
from config.errors import EngineError
from config.settings import Engine

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

REAL = 200e6
"""Parameters from which a model is not put on the CPU unless it was asked for."""
CPU_BUDGET = 32_768
"""Tokens of one padded batch without a card."""


@dataclass(slots=True)
class Loaded:
    """A model that is ready to generate, and what must be known of it."""

    model: Any
    tokenizer: Any
    device: str
    context: int
    """Tokens of a prompt and its reply together."""
    ends: frozenset[int]
    """Tokens that end a reply."""
    hidden: frozenset[int]
    """Tokens that are never text."""
    budget: int
    """Tokens of one padded batch; halved when memory ran out."""

    def text_stream(self, stop: Sequence[str]) -> TextStream:
        return TextStream(lambda ids: self.tokenizer.decode(ids, clean_up_tokenization_spaces=False), stop)


def load(folder: Path, persona: Persona, knobs: Engine) -> Loaded:
    """The model of a version folder on the device that the knobs ask for."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    device = choose_device(persona, knobs.device)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = _weights(folder, persona, knobs, device)
    except torch.OutOfMemoryError:
        raise EngineError(
            f"{persona.name} does not fit on {device}", hint="free the card, or try --load-in-8bit or --load-in-4bit"
        ) from None
    except (OSError, ValueError, RuntimeError, _safetensor_error()) as error:
        first = str(error).strip().splitlines()[0][:200]
        raise EngineError(f"can't load {folder}: {first}", hint="copy the folder again, or merge once more") from error
    ends = _ids(tokenizer.eos_token_id) | _ids(model.generation_config.eos_token_id)
    # generate() fills what a config leaves open from the model's own: a penalty would leak in.
    model.generation_config = transformers.GenerationConfig()
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None) or persona.model.context
    logger.info("%s on %s: %.0f MiB", persona.name, device, model.get_memory_footprint() / 2**20)
    return Loaded(
        model=model.eval(),
        tokenizer=tokenizer,
        device=device,
        context=min(context, persona.model.context),
        ends=ends,
        hidden=frozenset(n for n, token in tokenizer.added_tokens_decoder.items() if token.special) | ends,
        budget=_budget(model, device),
    )


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


def generate(loaded: Loaded, rows: Sequence[Row], sweep: Callable[[float], None]) -> bool:
    """Carry every row to its end; False if memory ran out, rows not yet ended then being as they were.

    `sweep` is called at every step with the time, for those who wait outside the batch.
    """
    import torch
    import transformers

    width = max(len(row.ids) for row in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for line, row in enumerate(rows):
        ids[line, width - len(row.ids) :] = torch.tensor(row.ids)
        mask[line, width - len(row.ids) :] = 1
    draw = Draw(rows)
    steps: Any = Steps(rows, draw, loaded.ends, loaded.hidden, sweep)
    config = transformers.GenerationConfig(
        do_sample=False,
        max_new_tokens=max(row.sampling.max_tokens for row in rows),
        pad_token_id=0,
        num_beams=1,
        repetition_penalty=1.0,
        use_cache=True,
    )
    try:
        with torch.inference_mode():
            loaded.model.generate(
                ids.to(loaded.device),
                attention_mask=mask.to(loaded.device),
                generation_config=config,
                logits_processor=transformers.LogitsProcessorList([draw]),  # pyright: ignore[reportArgumentType]
                stopping_criteria=transformers.StoppingCriteriaList([steps]),
            )
    except torch.OutOfMemoryError:
        loaded.budget //= 2
    else:
        return True
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False


def _weights(folder: Path, persona: Persona, knobs: Engine, device: str) -> Any:
    import transformers

    dtype = _dtype(persona, knobs, device)
    options: dict[str, Any] = {"dtype": dtype}
    if device != "cpu":
        options["device_map"] = {"": device}
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


def _ids(value: int | list[int] | None) -> frozenset[int]:
    if value is None:
        return frozenset()
    return frozenset([value] if isinstance(value, int) else value)


def _budget(model: Any, device: str) -> int:
    """Tokens whose cache and prefill fit into the free memory of the card."""
    import torch

    if not device.startswith("cuda"):
        return CPU_BUDGET
    free, _ = torch.cuda.mem_get_info(device)
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    cache = 2 * config.num_hidden_layers * heads * head
    prefill = 8 * config.hidden_size + 3 * config.intermediate_size
    return max(1024, int(0.7 * free / (2 * (cache + prefill))))


def _safetensor_error() -> type[Exception]:
    from safetensors import SafetensorError

    return SafetensorError
