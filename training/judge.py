"""Which form of a persona is nearest to what was trained, measured by the engine as it will be served.

Knows two scales: the loss on held-out replies (dev), and how far the logits are from those of the
model as trained. Where there is nothing to measure with it says so, and measures what it can.
"""

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.persona.manifest import Persona
from config.errors import EngineError
from config.settings import Engine, Merge, load
from training.forms import Form, Run
from training.score import heldout_loss, heldout_windows
from training.sft import sha256
from training.windows import Window

if TYPE_CHECKING:
    import torch

PROBE = ("在吗", "今天吃什么", "好的", "为什么这么晚还没睡", "周末出来玩")
"""Texts whose logits are compared."""


@dataclass(slots=True)
class Measured:
    """A form on the scales; None where there was nothing to measure with, or no number came out."""

    loss: float | None = None
    logits: Any = field(default=None, repr=False)

    def error(self, trained: "Measured") -> float | None:
        """Relative error of the logits against the model as trained."""
        if self.logits is None or trained.logits is None:
            return None
        return float((self.logits - trained.logits).norm() / trained.logits.norm())


class Judge:
    """Measures forms; `unheard` says why there are no held-out replies, `unloaded` why no model can be run."""

    def __init__(self, knobs: Merge, run: Run, engine: Engine, *, fits: bool) -> None:
        self._knobs = knobs
        self._run = run
        bits = {"load_in_4bit": True} if not (fits or engine.load_in_4bit or engine.load_in_8bit) else {}
        self._engine = engine.model_copy(update=bits)
        self.unheard = _unheard(knobs, run)
        self.unloaded = ""

    @property
    def served(self) -> str:
        """How merged weights will be served."""
        return "4 bit" if self._engine.load_in_4bit else "8 bit" if self._engine.load_in_8bit else "16 bit"

    def measure(self, form: Form, folder: Path, persona: Persona) -> Measured:
        """The form of a folder on both scales."""
        try:
            with self.opened(form, folder, persona) as loaded:
                windows = self.windows(loaded, persona)
                loss = heldout_loss(loaded, windows)[0] if windows else math.nan
                return Measured(loss if math.isfinite(loss) else None, _logits(loaded))
        except EngineError as error:
            self.unloaded = str(error)
            return Measured()

    def windows(self, loaded: Any, persona: Persona) -> list[Window]:
        """The held-out replies it is measured on."""
        return [] if self.unheard else heldout_windows(loaded, persona, self._knobs.data, "dev", self._knobs.rows)

    @contextmanager
    def opened(self, form: Form, folder: Path, persona: Persona) -> Iterator[Any]:
        """The form as the engine serves it; EngineError where this machine can't."""
        import torch

        from bot.engine.model import choose_device, load as load_model

        device = choose_device(persona, self._engine.device)
        if device == "cpu" and persona.model.parameters * 4 > self._knobs.max_memory * 2**30:
            raise EngineError("on the CPU the model is larger than max_memory", hint="measure it on a card")
        change: dict[str, Any] = {"persona": folder, "device": device}
        if form == "adapter":
            change |= {"load_in_4bit": False, "load_in_8bit": False}
            change |= {"base_model": Path(self._run.base)} if Path(self._run.base).is_dir() else {}
        loaded = load_model(folder, persona, self._engine.model_copy(update=change))
        try:
            yield loaded
        finally:
            del loaded
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def serving(knobs: Merge) -> Engine:
    """The engine as it is set up to serve, on the device where forms are measured."""
    return load(Engine, **({} if knobs.device == "auto" else {"device": knobs.device}))


def _unheard(knobs: Merge, run: Run) -> str:
    path = knobs.data / "heldout.jsonl"
    if not knobs.rows:
        return "rows = 0"
    if not path.is_file():
        return f"there is no {path}"
    if sha256(path) != run.manifest["data"].get("heldout.jsonl"):
        return f"{path} has changed since the training"
    return ""


def _logits(loaded: Any) -> "torch.Tensor":
    """The last logits of the probe texts, in float32 on the CPU."""
    import torch

    rows = []
    with torch.inference_mode():
        for text in PROBE:
            ids = torch.tensor([loaded.tokenizer(text, add_special_tokens=False)["input_ids"]], device=loaded.device)
            rows.append(loaded.model(ids, use_cache=False).logits[0, -1].float().cpu())
    return torch.stack(rows)
