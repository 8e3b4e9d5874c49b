"""Fewer, larger kernels for the same numbers: what a card does between two words is mostly small things.

Norms run as the one kernel torch has for them; q, k and v come from one matrix product, since
those of k and v alone are too small to keep a card busy where heads are grouped, and so do the two
that a feed-forward layer begins with; q and k are turned to their positions together. Of the 48 kernels
of a Qwen3 layer 19 are left, of which each takes a card some microseconds however little it has to do,
and Python more. Weights keep their names and their memory: they become views of one block. Imports
torch; imported late, by model.py alone, which checks that the model still says the same.
"""

import logging
from collections.abc import Callable
from functools import cache
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

logger = logging.getLogger(__name__)

_TOGETHER = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Layers that are asked one after the other for the same input."""
_TURN = "apply_rotary_pos_emb"
"""What transformers calls the function that turns q and k to their positions, in all architectures."""
_TOLERANCE = 0.1
"""Relative error that rounding in 16 bit can make over many layers; a wrong slice makes about 1."""


def fuse(model: Any) -> bool:
    """Fuse what can be; False, and all as before, where the model says something else then."""
    before = _scores(model)
    touched = [*_fuse_norms(model), *_fuse_projections(model), *_fuse_turns(model)]
    try:
        error = float((_scores(model) - before).norm() / before.norm())
    except (RuntimeError, IndexError):  # a layer that asks for its parts in another order
        error = float("nan")
    # Not `>`: scores that are no numbers agree with nothing.
    if error <= _TOLERANCE:
        return True
    logger.warning("kernels are left as they are: fused, the scores are off by %.3f", error)
    for module in touched:
        del module.forward
    return False


def _scores(model: Any) -> Tensor:
    """The scores after a few tokens, in float32."""
    top = model.get_input_embeddings().num_embeddings - 1
    ids = torch.arange(2, 10, device=model.device).clamp_max(top)[None]
    with torch.inference_mode():
        return model(input_ids=ids, use_cache=False).logits[0, -1].float()


def _fuse_norms(model: Any) -> list[Any]:
    """Let RMS norms run as torch's own kernel, where that says the same; which ones do."""
    norms = [module for module in model.modules() if type(module).__name__.endswith("RMSNorm")]
    fused = [module for module in norms if "forward" not in vars(module) and _same_as_torch(module)]
    for module in fused:
        module.forward = _torch_norm(module)
    return fused


def _fuse_projections(model: Any) -> list[Any]:
    """Let layers that are asked together come from one product, where they are plain ones; which ones do."""
    asked = [[getattr(module, name, None) for name in names] for module in model.modules() for names in _TOGETHER]
    fused = [layers for layers in asked if all(map(_plain, layers)) and _one_input(layers)]
    for layers in fused:
        _fuse(*layers)  # pyright: ignore[reportArgumentType]
    return [part for layers in fused for part in layers]


def _fuse(first: nn.Linear, *others: nn.Linear) -> None:
    """`first` multiplies for all, the others take their part: they are asked right after it, for the same input."""
    parts = (first, *others)
    weight = torch.cat([part.weight.data for part in parts])
    bias = None if first.bias is None else torch.cat([part.bias.data for part in parts])
    sizes = [part.out_features for part in parts]
    for part, rows in zip(parts, weight.split(sizes), strict=True):
        part.weight.data = rows
    left: list[Tensor] = []

    def multiply(hidden: Tensor) -> Tensor:
        own, *rest = nn.functional.linear(hidden, weight, bias).split(sizes, dim=-1)
        left[:] = rest
        return own

    def take(_: Tensor) -> Tensor:
        return left.pop(0)

    first.forward = multiply  # pyright: ignore[reportAttributeAccessIssue]
    for part in others:
        part.forward = take  # pyright: ignore[reportAttributeAccessIssue]


def _fuse_turns(model: Any) -> list[Any]:
    """Let q and k of every attention layer be turned together, where that says the same; which ones do.

    A layer finds the function among its module's globals: it gets its own forward with others, so that no
    other model hears of it.
    """
    found: list[Any] = []
    for module in model.modules():
        plain = type(module).forward
        turn = getattr(plain, "__globals__", {}).get(_TURN)
        if not isinstance(plain, FunctionType) or _TURN not in plain.__code__.co_names or "forward" in vars(module):
            continue
        if turn is not None and _turns_as_we_do(turn):
            there = {**plain.__globals__, _TURN: _turn_both(turn)}
            copied = FunctionType(plain.__code__, there, plain.__name__, plain.__defaults__, plain.__closure__)
            copied.__kwdefaults__ = plain.__kwdefaults__
            module.forward = MethodType(copied, module)
            found.append(module)
    return found


def _turn_both(turn: Callable[..., Any]) -> Callable[..., tuple[Tensor, Tensor]]:
    def both(q: Tensor, k: Tensor, cos: Tensor, sin: Tensor, unsqueeze_dim: int = 1) -> tuple[Tensor, Tensor]:
        if cos.shape[-1] != q.shape[-1]:  # only a part of each head is turned
            return turn(q, k, cos, sin, unsqueeze_dim=unsqueeze_dim)
        cos, sin = cos.unsqueeze(unsqueeze_dim), sin.unsqueeze(unsqueeze_dim)
        heads, half = torch.cat([q, k], dim=unsqueeze_dim), q.shape[-1] // 2
        turned = heads * cos
        turned[..., :half].addcmul_(heads[..., half:], sin[..., :half], value=-1)
        turned[..., half:].addcmul_(heads[..., :half], sin[..., half:])
        one, other = turned.split([q.shape[unsqueeze_dim], k.shape[unsqueeze_dim]], dim=unsqueeze_dim)
        return one, other

    return both


@cache
def _turns_as_we_do(turn: Callable[..., Any]) -> bool:
    q, k, angle = (torch.linspace(-2, 3, n * 24).view(1, n, 3, 8) for n in (4, 2, 1))
    try:
        theirs = turn(q, k, angle[0].cos(), angle[0].sin())
    except (TypeError, RuntimeError):  # one that wants something else
        return False
    ours = _turn_both(turn)(q, k, angle[0].cos(), angle[0].sin())
    return all(torch.allclose(a, b, atol=1e-5) for a, b in zip(theirs, ours, strict=True))


def _plain(module: Any) -> bool:
    # Quantised and adapted layers are subclasses and wrappers of it.
    hooked = type(module) is nn.Linear and (module._forward_hooks or module._forward_pre_hooks)
    return type(module) is nn.Linear and not hooked and "forward" not in vars(module)


def _one_input(layer: list[Any]) -> bool:
    kinds = {(part.in_features, part.bias is None, part.weight.device, part.weight.dtype) for part in layer}
    return len(kinds) == 1


def _torch_norm(module: Any) -> Callable[[Tensor], Tensor]:
    weight, eps = module.weight, getattr(module, "variance_epsilon", getattr(module, "eps", None))
    return lambda hidden: nn.functional.rms_norm(hidden, weight.shape, weight, eps)


def _same_as_torch(module: Any) -> bool:
    weight = getattr(module, "weight", None)
    if weight is None or weight.ndim != 1:
        return False
    probe = torch.linspace(-2, 3, 2 * len(weight), dtype=weight.dtype, device=weight.device).view(2, -1)
    error = (module(probe) - _torch_norm(module)(probe)).abs().max()
    return bool(error <= 4 * torch.finfo(weight.dtype).eps * module(probe).abs().max())
