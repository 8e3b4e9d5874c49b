"""How likely texts are to a loaded model: of one reply after its own prompt, and of many after one.

Knows tokens and probabilities; doesn't know what they are asked for. Imports torch late. A prompt that many
replies come after is read once; they stand in rows behind what was kept of it, and each sees it and itself.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from training.windows import IGNORE, Window

if TYPE_CHECKING:
    import torch

ROW_TOKENS, CPU_ROW_TOKENS = 2048, 192
"""Tokens of replies that stand in one row behind their prompt; each costs attention to all others of its row."""
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


def after(loaded: Any, prompt: Sequence[int], replies: Sequence[Sequence[int]]) -> list[list[float]]:
    """Negative log-probability of each token of each reply (its end token among them) after one prompt."""
    if not replies:
        return []
    if not _attends(loaded.model, len(prompt) + max(map(len, replies))):
        windows = [Window([*prompt, *reply], [IGNORE] * len(prompt) + list(reply)) for reply in replies]
        lost = dict(nats(loaded, windows))
        return [lost[place] for place in range(len(replies))]
    import torch

    with torch.inference_mode():
        first, kept = _read(loaded, prompt)
        return [losses for row in _rows(loaded, len(prompt), replies) for losses in _row(loaded, row, first, kept)]


def _read(loaded: Any, prompt: Sequence[int]) -> "tuple[torch.Tensor, Any]":
    """The scores of the token that comes next, (1, vocabulary), and keys and values of the whole prompt."""
    import torch
    from transformers import DynamicCache

    # Without the model's config no layer forgets what is out of its window: rows can be cut off again.
    kept = DynamicCache()
    ids = torch.tensor([list(prompt)], device=loaded.device)
    read = loaded.model(input_ids=ids, past_key_values=kept, use_cache=True, logits_to_keep=1)
    return read.logits[0], kept


def _rows(loaded: Any, prompt: int, replies: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Replies in their order, as many together as stand in one row."""
    row: list[Sequence[int]] = []
    most = room(loaded, prompt)
    for reply in replies:
        if row and sum(map(len, row)) + len(reply) > most:
            yield row
            row = []
        row.append(reply)
    yield row


def room(loaded: Any, prompt: int) -> int:
    """Tokens of replies that stand in one row behind a prompt of so many."""
    most = CPU_ROW_TOKENS if loaded.device == "cpu" else ROW_TOKENS
    return max(64, min(most, loaded.budget // 2 - prompt, SCORES // loaded.vocabulary))


def _row(loaded: Any, replies: Sequence[Sequence[int]], first: "torch.Tensor", kept: Any) -> list[list[float]]:
    """The replies one behind the other; each attends to the prompt and to itself alone. `kept` stays the prompt's."""
    import torch

    begin, lengths = kept.get_seq_length(), [len(reply) for reply in replies]
    total = sum(lengths)
    owner = torch.cat([torch.full((n,), k) for k, n in enumerate(lengths)])
    seen = (owner[None, :] == owner[:, None]) & torch.ones(total, total).tril().bool()
    seen = torch.cat([torch.ones(total, begin, dtype=torch.bool), seen], dim=1)
    places = torch.cat([torch.arange(begin, begin + n) for n in lengths])
    dtype = loaded.model.dtype
    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
    ids = torch.tensor([[token for reply in replies for token in reply]], device=loaded.device)
    scores = loaded.model(
        input_ids=ids,
        attention_mask=mask[None, None].to(loaded.device),
        position_ids=places[None].to(loaded.device),
        past_key_values=kept,
        use_cache=True,
    ).logits[0]
    kept.crop(-total)
    # The first token of each reply comes after the prompt's last, the others after the one before.
    starts = [sum(lengths[:k]) for k in range(len(lengths))]
    before = torch.cat([torch.tensor([0, *range(s + 1, s + n)]) for s, n in zip(starts, lengths, strict=True)])
    losses = _losses(torch.cat([first, scores])[before.to(loaded.device)][None], ids)[0]
    return [losses[s : s + n] for s, n in zip(starts, lengths, strict=True)]


def _attends(model: Any, tokens: int) -> bool:
    """Whether all that a token learns of others comes by attention, which a mask can part, and reaches so far back."""
    config = model.config.get_text_config()
    layers, window = getattr(config, "layer_types", None), getattr(config, "sliding_window", None)
    beyond = window is not None and tokens > window and (layers is None or "sliding_attention" in layers)
    return (
        set(layers or ()) <= {"full_attention", "sliding_attention"}
        and not beyond
        and config._attn_implementation in ("sdpa", "eager")
    )
