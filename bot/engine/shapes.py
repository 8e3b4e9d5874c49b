"""Decode steps of fixed shape: a cache that never moves, and on a card one CUDA graph a shape.

A step from Python launches every kernel by itself, which for few rows takes longer than
the kernels themselves. A step whose tensors stay where they are is captured once and then replayed
by the card alone; and while the card replays, we read out the step before. Rows and cache lengths
are rounded up to a few shapes; what is missing to a shape is made up by idle rows nobody hears.

Why not `generate(cache_implementation="static")`: it compiles for every number of rows and every
cache length anew, tens of seconds each on a real model, needs a C compiler where the bot runs, and
its graphs belong to the one thread that first imported them.

Imports torch and transformers; only model.py imports it, late. Knows nothing of queues and text.
"""

import copy
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, LinearAttentionLayer, StaticLayer, get_layer_types_and_kwargs

BLOCK = 256
"""Cache lengths are multiples of this."""
_ATTENTION = {"full_attention", "sliding_attention"}
_RECURRENT = {"linear_attention", "conv"}


class Fixed(StaticLayer):
    """One layer's keys and values at fixed addresses; `place`, shared by all layers, is where the next go.

    A prompt attends to itself alone, as without a cache; a step attends to the whole length, and
    the mask rules out what isn't there yet. Sliding layers keep everything; their mask slides.
    """

    def __init__(self, length: int, place: Tensor) -> None:
        super().__init__(max_cache_len=length)
        self.cumulative_length = place

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        width = key_states.shape[-2]
        if width > 1:
            self.keys[:, :, :width] = key_states  # pyright: ignore[reportOptionalSubscript]
            self.values[:, :, :width] = value_states  # pyright: ignore[reportOptionalSubscript]
            return key_states, value_states
        self.keys.index_copy_(2, self.cumulative_length, key_states)  # pyright: ignore[reportOptionalMemberAccess]
        self.values.index_copy_(2, self.cumulative_length, value_states)  # pyright: ignore[reportOptionalMemberAccess]
        return self.keys, self.values  # pyright: ignore[reportReturnType]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return (query_length if query_length > 1 else self.max_cache_len), 0


class Shape:
    """So many rows with a cache of so many tokens each."""

    def __init__(self, model: Any, rows: int, length: int, device: str, beside: "torch.cuda.Stream | None") -> None:
        self._model = model
        self._place = torch.zeros(1, dtype=torch.long, device=device)
        self._tokens = torch.zeros((rows, 1), dtype=torch.long, device=device)
        self._positions = torch.zeros_like(self._tokens)
        self._mask = torch.ones((rows, length), dtype=torch.long, device=device)
        self._cache = Cache(layers=_layers(model.config, length, self._place))
        self._graph: torch.cuda.CUDAGraph | None = None
        self._scores = self._forward()  # the first step makes the cache
        if beside is not None:
            self._capture(device, beside)

    @property
    def ahead(self) -> bool:
        """Whether a step runs while others work."""
        return self._graph is not None

    def begin(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The scores after some left-padded prompts, (prompts, vocabulary); nothing of a batch before is left."""
        rows, width = ids.shape
        self._clear()
        positions = (mask.cumsum(-1) - 1).clamp_min(0)
        out = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=Cache(layers=[_first(layer, rows) for layer in self._cache.layers]),
            use_cache=True,
            logits_to_keep=1,
        )
        self._place.fill_(width)
        self._mask[:rows, :width] = mask
        self._positions[:rows] = positions[:, -1:] + 1
        return out.logits[:, -1].float()

    def step(self, tokens: Tensor) -> Tensor:
        """The scores after one more token a row; they hold until the next step."""
        rows = len(tokens)
        self._tokens[:rows, 0] = tokens
        if self._graph is None:
            self._scores = self._forward()
        else:
            self._graph.replay()
        return self._scores[:rows]

    def _forward(self) -> Tensor:
        out = self._model(
            input_ids=self._tokens,
            attention_mask=self._mask,
            position_ids=self._positions,
            past_key_values=self._cache,
            use_cache=True,
        )
        self._place.add_(1)
        self._positions.add_(1)
        return out.logits[:, -1].float()

    def _capture(self, device: str, beside: torch.cuda.Stream) -> None:
        with torch.cuda.device(device):
            now = torch.cuda.current_stream()
            # Libraries choose and set up their kernels at the first calls, which must not be captured.
            beside.wait_stream(now)
            with torch.cuda.stream(beside):
                for _ in range(2):
                    self._forward()
            now.wait_stream(beside)
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph, stream=beside, capture_error_mode="thread_local"):
                    self._scores = self._forward()
            finally:
                # A capture that fails leaves its own stream as the current one.
                torch.cuda.set_stream(now)
            self._graph = graph

    def _clear(self) -> None:
        """Masked scores times a NaN that a poisoned row left behind would still be NaN."""
        for layer in self._cache.layers:
            for tensor in _tensors(layer):
                tensor.zero_()
        self._place.zero_()
        self._positions.zero_()
        self._mask.fill_(1)


class Shapes:
    """The shapes that were met so far, within so many tokens; those longest unused go first."""

    def __init__(self, model: Any, device: str) -> None:
        self._model = model
        self._device = device
        # One for all shapes: cuBLAS keeps 32 MiB for every stream that it has met.
        self._beside = torch.cuda.Stream(device) if device.startswith("cuda") else None
        self._kept: dict[tuple[int, int], Shape] = {}

    def fit(self, rows: int, length: int, budget: int) -> Shape | None:
        """A shape with room for this; None where it alone would take more than the budget of tokens."""
        size = (1 << (rows - 1).bit_length(), -(-length // BLOCK) * BLOCK)
        if size[0] * size[1] > budget:
            return None
        shape = self._kept.pop(size, None)
        if shape is None:
            self.make_room(size[0] * size[1], budget)
            shape = Shape(self._model, *size, self._device, self._beside)
        self._kept[size] = shape
        return shape

    def make_room(self, tokens: int, budget: int) -> None:
        """Forget shapes until so many tokens more keep within the budget."""
        for size in list(self._kept):
            if sum(rows * length for rows, length in self._kept) + tokens <= budget:
                return
            del self._kept[size]

    def clear(self) -> None:
        self._kept.clear()


def _layers(config: Any, length: int, place: Tensor) -> list[Any]:
    layers: list[Any] = []
    for kind, options in zip(*get_layer_types_and_kwargs(config.get_text_config(decoder=True)), strict=True):
        if kind in _ATTENTION:
            layers.append(Fixed(length, place))
        elif kind in _RECURRENT:
            layers.append(LinearAttentionLayer(**options))
        else:
            raise NotImplementedError(f"layers of the kind {kind}")
    return layers


def _first(layer: Any, rows: int) -> Any:
    """The first rows of a layer, in the same memory, before anything was said."""
    part = copy.copy(layer)
    if isinstance(layer, StaticLayer):
        part.keys, part.values = layer.keys[:rows], layer.values[:rows]  # pyright: ignore[reportOptionalSubscript]
    else:
        for states in ("conv_states", "recurrent_states"):
            setattr(part, states, {n: s if s is None else s[:rows] for n, s in getattr(layer, states).items()})
        part.has_previous_state = dict.fromkeys(layer.has_previous_state, False)
    return part


def _tensors(layer: Any) -> list[Tensor]:
    if isinstance(layer, StaticLayer):
        return [layer.keys, layer.values]  # pyright: ignore[reportReturnType]
    return [s for s in (*layer.conv_states.values(), *layer.recurrent_states.values()) if s is not None]
