"""A model that is ready to answer, and one batch at a time through it.

Here and in what is imported here alone stand torch and transformers, and only when a model is
loaded. Knows nothing of HTTP, queues and threads: whoever calls `generate` must be the only one.
"""

import gc
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.engine.rows import Row, Steps
from bot.engine.sampling import Draw
from bot.engine.text import TextStream
from bot.engine.weights import choose_device, open_weights, safetensor_error
from bot.persona.manifest import Persona
from config.errors import EngineError
from config.settings import Engine

if TYPE_CHECKING:
    import torch

    from bot.engine.prefix import Prefixes
    from bot.engine.shapes import Shapes
    from bot.engine.threads import Threads

logger = logging.getLogger(__name__)

_TOLERANCE = 0.02
"""Relative error of scores between two ways to step; a wrong mask or position gives 0.3."""
_WARM = 1024
"""Tokens of the shape that is made at start."""


@dataclass(slots=True)
class Loaded:
    """A model that is ready to generate, and what must be known of it."""

    model: Any
    """None once released."""
    tokenizer: Any
    device: str
    context: int
    """Tokens of a prompt and its reply together."""
    ends: frozenset[int]
    """Tokens that end a reply."""
    hidden: frozenset[int]
    """Tokens that are never text."""
    most: int
    """Tokens of one padded batch that memory allows."""
    vocabulary: int = 1 << 62
    """Tokens that the model knows."""
    shapes: "Shapes | None" = None
    """Decoding in fixed shapes, where that is done."""
    prefixes: "Prefixes | None" = None
    """What single rows have read, where their next turn takes it up again."""
    room: Callable[[], int] | None = None
    """What `most` would be if it were measured now; None on a CPU."""
    threads: "Threads | None" = None
    """How many CPU threads a forward gets; None on a card."""
    budget: int = field(init=False)
    """Tokens of the next batch: fewer after memory ran out, then slowly more again."""

    def __post_init__(self) -> None:
        self.budget = self.most

    def text_stream(self, stop: Sequence[str]) -> TextStream:
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            return TextStream(lambda ids: self.tokenizer.decode(ids, clean_up_tokenization_spaces=False), stop)
        return TextStream(lambda ids: backend.decode(ids, skip_special_tokens=False), stop)

    def memory(self) -> dict[str, int] | None:
        """Bytes of the card, free and in all; None without one. From any thread."""
        import torch

        if not self.device.startswith("cuda"):
            return None
        free, total = torch.cuda.mem_get_info(self.device)
        return {"free": free, "total": total}

    def release(self) -> int:
        """Let the weights go; how many bytes of them there were. What is known of the model stays."""
        import torch

        size = self.model.get_memory_footprint()
        self.model = self.shapes = self.prefixes = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return size


def load(folder: Path, persona: Persona, knobs: Engine) -> Loaded:
    """The model of a version folder on the device that the knobs ask for."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    device = choose_device(persona, knobs.device)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        loaded = ready(open_weights(folder, persona, knobs, device), tokenizer, device, persona.model.context, knobs)
    except torch.OutOfMemoryError:
        raise EngineError(
            f"{persona.name} does not fit on {device}", hint="free the card, or try --load-in-8bit or --load-in-4bit"
        ) from None
    except (OSError, ValueError, RuntimeError, ImportError, safetensor_error()) as error:
        raise EngineError(
            f"can't load {folder}: {_first_line(error)}", hint="copy the folder again, or merge once more"
        ) from error
    logger.info(
        "%s on %s: %.0f MiB, %d tokens a batch, attention by %s, steps %s",
        persona.name,
        f"{device}, {loaded.threads}" if loaded.threads else device,
        loaded.model.get_memory_footprint() / 2**20,
        loaded.most,
        loaded.model.config._attn_implementation,
        "in fixed shapes" if loaded.shapes else "of a growing cache",
    )
    return loaded


def ready(model: Any, tokenizer: Any, device: str, context: int, knobs: Engine) -> Loaded:
    """Make a model ready to answer: its memory measured, its ways to step tried out. EngineError where it has none."""
    from bot.engine import budget, fused, prefix

    ends = _ids(tokenizer.eos_token_id) | _ids(model.generation_config.eos_token_id)
    model.eval()
    # A forward would make bitsandbytes repack its weights on a CPU, for good.
    if device != "cpu" or getattr(model.config, "quantization_config", None) is None:
        _check(model, device)
    if device.startswith("cuda") and model.dtype.itemsize == 2:
        fused.fuse(model)
    room = partial(budget.tokens, budget.measure(model, device), device, knobs.max_batch)
    own = getattr(model.config.get_text_config(), "max_position_embeddings", None) or context
    loaded = Loaded(
        model=model,
        tokenizer=tokenizer,
        device=device,
        context=min(context, own),
        ends=ends,
        hidden=frozenset(n for n, token in tokenizer.added_tokens_decoder.items() if token.special) | ends,
        most=room(),
        vocabulary=model.get_input_embeddings().num_embeddings,
    )
    if device == "cpu":
        from bot.engine import threads

        loaded.threads = threads.choose(model, knobs.threads)
    else:
        loaded.room = room
    loaded.shapes = _shapes(loaded, knobs)
    if loaded.shapes is None and knobs.attn_implementation == "auto":
        _flash(model, device)
    if loaded.shapes is None and knobs.prefix_reuse:
        loaded.prefixes = prefix.prefixes(model)
    return loaded


def _check(model: Any, device: str) -> None:
    """EngineError where a model can't be carried on from what it has read: some keep that in ways of their own."""
    import torch

    from bot.engine.decode import Growing

    mask = torch.tensor([[0, 1], [1, 1]], device=device)
    way = Growing(model, device)
    try:
        with torch.inference_mode():
            way.begin(mask, mask)
            if way.cache is None:
                raise TypeError("it returns no past_key_values")
            way.step(mask[:, 1])
    except (AttributeError, TypeError, ValueError) as error:
        raise EngineError(
            f"{type(model).__name__} can't be spoken with word by word: {_first_line(error)}",
            hint="let vLLM or llama.cpp serve it, [engine] url, or train on another base model",
        ) from error


def _shapes(loaded: Loaded, knobs: Engine) -> "Shapes | None":
    """Fixed shapes where they are wanted, work, and agree with the plain way."""
    cuda = loaded.device.startswith("cuda")
    # 8-bit layers look at every activation before they decide how to multiply; that can't be replayed.
    if knobs.compile == "off" or (
        knobs.compile == "auto" and (not cuda or getattr(loaded.model, "is_loaded_in_8bit", False))
    ):
        return None
    from bot.engine.shapes import Shapes

    shapes = Shapes(loaded.model, loaded.device)
    try:
        error = _disagreement(loaded, shapes)
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as failure:
        if knobs.compile == "on":
            raise EngineError(f"no fixed shapes for this model: {failure}", hint="--compile auto or off") from failure
        logger.warning("decoding step by step from Python: %s", _first_line(failure))
        return None
    # Not `>`: scores that are no numbers agree with nothing.
    if not error <= _TOLERANCE:
        if knobs.compile == "on":
            raise EngineError(f"fixed shapes say something else: error {error:.3f}", hint="--compile auto or off")
        logger.warning("decoding step by step from Python: fixed shapes are off by %.3f", error)
        return None
    return shapes


def _disagreement(loaded: Loaded, shapes: "Shapes") -> float:
    """Relative error of the scores after two steps of two ragged rows, against steps with a growing cache.

    Not against one forward of all of it: in 16 bit, rounding alone tells that from any steps by 0.03.
    """
    import torch

    from bot.engine.decode import Growing

    length = min(_WARM, loaded.context, loaded.most // 2)
    top = loaded.vocabulary - 1
    ids = torch.tensor([[0, 0, 3, 4, 5, 6, 7], [2, 3, 4, 5, 6, 7, 8]], device=loaded.device).clamp_max(top)
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    with torch.inference_mode():
        shape = shapes.fit(2, length, loaded.most)
        if shape is None or shapes.fit(1, length, loaded.most) is None:
            raise ValueError("too little memory")
        ways = (shape, Growing(loaded.model, loaded.device))
        for way in ways:
            way.begin(ids[:, :5], mask[:, :5])
            way.step(ids[:, 5])
        fixed, grown = (way.step(ids[:, 6]) for way in ways)
        return float((fixed - grown).norm() / grown.norm())


def _flash(model: Any, device: str) -> None:
    """Flash attention where it is installed and the card and the model can."""
    from transformers.utils.import_utils import is_flash_attn_2_available

    if device.startswith("cuda") and model.dtype.itemsize == 2 and is_flash_attn_2_available():
        try:
            model.set_attn_implementation("flash_attention_2")
        except (ValueError, ImportError) as error:
            logger.info("no flash attention: %s", _first_line(error))


def generate(loaded: Loaded, rows: Sequence[Row], sweep: Callable[[float], None]) -> bool:
    """Carry every row to its end; False if memory ran out, rows not yet ended then being as they were.

    `sweep` is called at every step with the time, for those who wait outside the batch.
    """
    import torch

    limit = max(row.sampling.max_tokens for row in rows)
    room = len(rows) * (max(len(row.ids) for row in rows) + limit)
    draw, steps = Draw(rows), Steps(rows, loaded.ends, loaded.hidden, sweep)
    if loaded.prefixes is not None:
        loaded.prefixes.make_room(room, loaded.budget)
    try:
        with torch.inference_mode():
            _decode(loaded, *_padded(rows, loaded.device), draw, steps, limit)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        loaded.budget = min(loaded.budget, room) // 2
    else:
        if loaded.room is not None:
            # Loaded beside the persona that it took over from, it had only what that one left.
            loaded.most = max(loaded.most, loaded.room())
        loaded.budget = min(loaded.most, loaded.budget + loaded.most // 64 + 1)
        return True
    finally:
        if loaded.threads is not None:
            loaded.threads.use_all()
    for kept in (loaded.shapes, loaded.prefixes):
        if kept is not None:
            kept.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False


def _decode(loaded: Loaded, ids: "torch.Tensor", mask: "torch.Tensor", draw: Draw, steps: Steps, limit: int) -> None:
    from bot.engine.decode import Growing, decode

    rows, width = ids.shape
    if loaded.shapes is not None:
        shape = loaded.shapes.fit(rows, width + limit, loaded.budget)
        if shape is not None:
            decode(shape, ids, mask, draw, steps, limit)
            return
        loaded.shapes.make_room(rows * (width + limit), loaded.budget)
    # A row that is alone takes up what is kept of an earlier one.
    kept, prompt = loaded.prefixes if rows == 1 else None, ids[0].tolist()
    way = Growing(loaded.model, loaded.device, loaded.threads, kept.begin(prompt) if kept is not None else None)
    decode(way, ids, mask, draw, steps, limit)
    if kept is None:
        return
    if bool(draw.broken.any()):
        kept.clear()  # nothing that may have led here is worth keeping
    else:
        kept.keep([*prompt, *(int(token) for token in way.fed)], width, way.cache, loaded.budget)


def _padded(rows: Sequence[Row], device: str) -> "tuple[torch.Tensor, torch.Tensor]":
    """Prompts of one length, padded on the left, and where they are not padding."""
    import torch

    width = max(len(row.ids) for row in rows)
    ids = torch.tensor([[0] * (width - len(row.ids)) + row.ids for row in rows], dtype=torch.long)
    lengths = torch.tensor([[width - len(row.ids)] for row in rows])
    return ids.to(device), (torch.arange(width) >= lengths).long().to(device)


def _out_of_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error)
    # The CPU's allocator and CUDA's libraries have no class of their own for it.
    return "can't allocate memory" in said or "CUBLAS_STATUS_ALLOC_FAILED" in said or "CUDA out of memory" in said


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _ids(value: int | list[int] | None) -> frozenset[int]:
    if value is None:
        return frozenset()
    return frozenset([value] if isinstance(value, int) else value)
