"""How likely texts are to a loaded model: of one reply after its own prompt, and of many after one.

Knows tokens and probabilities; doesn't know what they are asked for. Imports torch late. Many replies
after one prompt stand in one row: each sees the prompt and itself, so the prompt is read once.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from training.windows import IGNORE, Window

if TYPE_CHECKING:
    import torch

ROW_TOKENS, CPU_ROW_TOKENS = 2048, 384
"""Tokens of replies that stand in one row after their prompt; on a CPU attention to masked ones costs more than the prompt again."""
SCORES = 1 << 27
"""Numbers that the scores of one batch may be."""

Note = Callable[[int, int], None]


def nats(loaded: Any, windows: Sequence[Window]) -> Iterator[tuple[int, list[float]]]:
    """Negative log-probability of each token with loss, by the place of its window; short ones first.

    The loss must stand at the end of a window.
    """
    order = sorted(range(len(windows)), key=lambda place: (len(windows[place].input_ids), place))
    for batch in _batches(loaded, windows, order):
        yield from zip(batch, _nats(loaded, [windows[place] for place in batch]), strict=True)


def _batches(loaded: Any, windows: Sequence[Window], order: Sequence[int]) -> Iterator[list[int]]:
    """Windows of like length, as many as memory has room for."""
    batch: list[int] = []
    for place in order:
        width = len(windows[place].input_ids)
        rows = [*batch, place]
        tail = max(_tail(windows[row]) for row in rows)
        full = len(rows) * width > loaded.budget // 2 or len(rows) * tail * loaded.vocabulary > SCORES
        if batch and full:
            yield batch
            rows = [place]
        batch = rows
    if batch:
        yield batch


def _tail(window: Window) -> int:
    """Tokens from the first with loss on."""
    return len(window.labels) - next(place for place, label in enumerate(window.labels) if label != IGNORE)


def _nats(loaded: Any, windows: Sequence[Window]) -> list[list[float]]:
    import torch

    width, tail = max(len(w.input_ids) for w in windows), max(map(_tail, windows))
    ids = torch.tensor([[0] * (width - len(w.input_ids)) + w.input_ids for w in windows], device=loaded.device)
    mask = torch.arange(width) >= torch.tensor([[width - len(w.input_ids)] for w in windows])
    mask = mask.long().to(loaded.device)
    with torch.inference_mode():
        scores = loaded.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp_min(0),
            use_cache=False,
            logits_to_keep=tail + 1,
        ).logits[:, :-1]
        labels = torch.tensor(
            [
                w.labels[-tail:] if len(w.labels) >= tail else [IGNORE] * (tail - len(w.labels)) + w.labels
                for w in windows
            ]
        )
        found = _losses(scores, labels.to(loaded.device))
    return [
        [value for value, label in zip(row, w.labels[-len(row) :], strict=True) if label != IGNORE]
        for row, w in zip(found, windows, strict=True)
    ]


def _losses(scores: "torch.Tensor", labels: "torch.Tensor") -> list[list[float]]:
    """Nats of each label, (rows, tokens); 0 where it has no loss."""
    import torch

    flat = torch.nn.functional.cross_entropy(
        scores.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORE, reduction="none"
    )
    return flat.view(labels.shape).tolist()


def after(loaded: Any, prompt: Sequence[int], replies: Sequence[Sequence[int]]) -> list[float]:
    """Log-probability of each reply (token ids, its end token among them) after one prompt."""
    if not _attends(loaded.model):
        windows = [Window([*prompt, *reply], [IGNORE] * len(prompt) + list(reply)) for reply in replies]
        lost = dict(nats(loaded, windows))
        return [-math.fsum(lost[place]) for place in range(len(replies))]
    found: list[float] = []
    row: list[Sequence[int]] = []
    for reply in replies:
        if row and sum(map(len, row)) + len(reply) > room(loaded, len(prompt)):
            found += _row(loaded, prompt, row)
            row = []
        row.append(reply)
    return [*found, *_row(loaded, prompt, row)] if row else found


def room(loaded: Any, prompt: int) -> int:
    """Tokens of replies that stand in one row behind a prompt of so many."""
    most = CPU_ROW_TOKENS if loaded.device == "cpu" else ROW_TOKENS
    return max(64, min(most, loaded.budget // 2 - prompt, SCORES // loaded.vocabulary))


def _row(loaded: Any, prompt: Sequence[int], replies: Sequence[Sequence[int]]) -> list[float]:
    """The replies one behind the other; each attends to the prompt and to itself alone."""
    import torch

    begin, lengths = len(prompt), [len(reply) for reply in replies]
    total = begin + sum(lengths)
    owner = torch.cat([torch.zeros(begin, dtype=torch.long), *(torch.full((n,), k + 1) for k, n in enumerate(lengths))])
    places = torch.cat([torch.arange(begin), *(torch.arange(begin, begin + n) for n in lengths)])
    seen = (owner[None, :] == 0) | (owner[None, :] == owner[:, None])
    seen &= torch.ones(total, total).tril().bool()
    dtype = loaded.model.dtype
    mask = torch.zeros(total, total, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
    ids = torch.tensor([[*prompt, *(token for reply in replies for token in reply)]], device=loaded.device)
    with torch.inference_mode():
        scores = loaded.model(
            input_ids=ids,
            attention_mask=mask[None, None].to(loaded.device),
            position_ids=places[None].to(loaded.device),
            use_cache=False,
            logits_to_keep=total - begin + 1,
        ).logits[0]
        # The first token of each reply comes after the prompt's last, the others after the one before.
        starts = [sum(lengths[:k]) for k in range(len(lengths))]
        before = torch.cat([torch.tensor([0, *range(s + 1, s + n)]) for s, n in zip(starts, lengths, strict=True)])
        losses = _losses(scores[before.to(loaded.device)][None], ids[:, begin:])[0]
    return [-math.fsum(losses[s : s + n]) for s, n in zip(starts, lengths, strict=True)]


def _attends(model: Any) -> bool:
    """Whether all that a token learns of others comes by attention, which a mask can part."""
    config = model.config.get_text_config()
    layers = getattr(config, "layer_types", None) or ["full_attention"]
    return set(layers) <= {"full_attention", "sliding_attention"} and config._attn_implementation in ("sdpa", "eager")
