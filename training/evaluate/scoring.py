"""How likely texts are to a loaded model: replies after the prompt that they come after.

Knows tokens and probabilities; doesn't know what they are asked for. Imports torch late. A prompt is read once
for all replies after it: they stand in rows behind what was kept of it, and each sees it and itself. After the
last token of a reply nothing is asked, so no model is fed it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.windows import IGNORE

if TYPE_CHECKING:
    import torch

ROW_TOKENS, CPU_ROW_TOKENS = 2048, 192
"""Tokens of replies that stand in one row behind their prompt; each costs attention to all others of its row."""
SCORES = 1 << 27
"""Numbers that the scores of one batch may be."""
PIECE = 128
"""Tokens whose scores are looked at together: they are copied for it, in 32 bits."""

Note = Callable[[int, int], None]
Tokens = Sequence[int]


@dataclass(slots=True, frozen=True)
class Reading:
    """A prompt, and the replies that are scored after it."""

    prompt: Tokens
    replies: Sequence[Tokens]

    @property
    def tokens(self) -> int:
        """What a model is fed: the prompt, and all but the last token of each reply, like ones once."""
        different = set(map(tuple, self.replies))
        return len(self.prompt) + sum(len(reply) - 1 for reply in different) if different else 0


def read(loaded: Any, readings: Sequence[Reading]) -> Iterator[tuple[int, list[list[float]]]]:
    """Negative log-probability of each token of each reply, by the place of its reading.

    Where one reply follows a prompt, short ones come first, many in a batch; then the others, in their order.
    """
    lone = [place for place, one in enumerate(readings) if len(one.replies) == 1]
    for batch in _batches(loaded, readings, sorted(lone, key=lambda place: (readings[place].tokens, place))):
        rows = [(readings[place].prompt, readings[place].replies[0]) for place in batch]
        yield from ((place, [losses]) for place, losses in zip(batch, _padded(loaded, rows), strict=True))
    for place, one in enumerate(readings):
        if len(one.replies) != 1:
            yield place, after(loaded, one.prompt, one.replies)


def _batches(loaded: Any, readings: Sequence[Reading], order: Sequence[int]) -> Iterator[list[int]]:
    """Readings of like length, as many as memory has room for."""
    batch: list[int] = []
    for place in order:
        rows = [*batch, place]
        tail = max(len(readings[row].replies[0]) for row in rows)
        width = readings[place].tokens
        full = len(rows) * width > loaded.budget // 2 or len(rows) * tail * loaded.vocabulary > SCORES
        if batch and full:
            yield batch
            rows = [place]
        batch = rows
    if batch:
        yield batch


def _padded(loaded: Any, rows: Sequence[tuple[Tokens, Tokens]]) -> list[list[float]]:
    """Prompts with one reply each, a row each."""
    import torch

    texts = [[*prompt, *reply[:-1]] for prompt, reply in rows]
    width, tail = max(map(len, texts)), max(len(reply) for _, reply in rows)
    ids = torch.tensor([[0] * (width - len(text)) + text for text in texts], device=loaded.device)
    mask = torch.arange(width) >= torch.tensor([[width - len(text)] for text in texts])
    mask = mask.long().to(loaded.device)
    labels = torch.tensor([[IGNORE] * (tail - len(reply)) + list(reply) for _, reply in rows])
    with torch.inference_mode():
        scores = loaded.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp_min(0),
            use_cache=False,
            logits_to_keep=tail,
        ).logits
        found = _losses(scores.flatten(0, 1), torch.arange(labels.numel()), labels.flatten())
    return [found[(n + 1) * tail - len(reply) : (n + 1) * tail] for n, (_, reply) in enumerate(rows)]


def _losses(scores: "torch.Tensor", places: "torch.Tensor", labels: "torch.Tensor") -> list[float]:
    """Nats of each label by the scores (tokens, vocabulary) at its place; 0 where it has no loss."""
    import torch

    cut = zip(places.to(scores.device).split(PIECE), labels.to(scores.device).split(PIECE), strict=True)
    found = [
        torch.nn.functional.cross_entropy(scores[some].float(), wanted, ignore_index=IGNORE, reduction="none")
        for some, wanted in cut
    ]
    return torch.cat(found).tolist()


def after(loaded: Any, prompt: Tokens, replies: Sequence[Tokens]) -> list[list[float]]:
    """Negative log-probability of each token of each reply (its end token among them) after one prompt."""
    different = list(dict.fromkeys(map(tuple, replies)))
    found = dict(zip(different, _after(loaded, prompt, different), strict=True))
    return [found[tuple(reply)] for reply in replies]


def _after(loaded: Any, prompt: Tokens, replies: Sequence[Tokens]) -> list[list[float]]:
    if not replies:
        return []
    if not _attends(loaded.model, len(prompt) + max(map(len, replies))):
        lost = dict(read(loaded, [Reading(prompt, [reply]) for reply in replies]))
        return [lost[place][0] for place in range(len(replies))]
    import torch

    with torch.inference_mode():
        first, kept = _read(loaded, prompt)
        return [losses for row in _rows(loaded, len(prompt), replies) for losses in _row(loaded, row, first, kept)]


def _read(loaded: Any, prompt: Tokens) -> "tuple[torch.Tensor, Any]":
    """The scores of the token that comes next, (1, vocabulary), and keys and values of the whole prompt."""
    import torch
    from transformers import DynamicCache

    # Without the model's config no layer forgets what is out of its window: rows can be cut off again.
    kept = DynamicCache()
    ids = torch.tensor([list(prompt)], device=loaded.device)
    found = loaded.model(input_ids=ids, past_key_values=kept, use_cache=True, logits_to_keep=1)
    return found.logits[0], kept


def _rows(loaded: Any, prompt: int, replies: Sequence[Tokens]) -> Iterator[list[Tokens]]:
    """Replies in their order, as many together as stand in one row."""
    row: list[Tokens] = []
    most = room(loaded, prompt)
    for reply in replies:
        if row and sum(len(one) - 1 for one in row) + len(reply) - 1 > most:
            yield row
            row = []
        row.append(reply)
    yield row


def room(loaded: Any, prompt: int) -> int:
    """Tokens of replies that stand in one row behind a prompt of so many."""
    most = CPU_ROW_TOKENS if loaded.device == "cpu" else ROW_TOKENS
    return max(64, min(most, loaded.budget // 2 - prompt, SCORES // loaded.vocabulary))


def _row(loaded: Any, replies: Sequence[Tokens], first: "torch.Tensor", kept: Any) -> list[list[float]]:
    """The replies one behind the other; each attends to the prompt and to itself alone. `kept` stays the prompt's."""
    import torch

    fed = [reply[:-1] for reply in replies]
    scores = torch.cat([first, _side_by_side(loaded, fed, kept)]) if any(fed) else first
    # The first token of each reply comes after the prompt's last, the others after the one before.
    starts = [sum(map(len, fed[:k])) for k in range(len(fed))]
    before = [place for s, one in zip(starts, fed, strict=True) for place in (0, *range(s + 1, s + 1 + len(one)))]
    labels = [token for reply in replies for token in reply]
    losses = iter(_losses(scores, torch.tensor(before), torch.tensor(labels)))
    return [[next(losses) for _ in reply] for reply in replies]


def _side_by_side(loaded: Any, texts: Sequence[Tokens], kept: Any) -> "torch.Tensor":
    """Scores after each token of some texts that all begin behind what was kept, (tokens, vocabulary)."""
    import torch

    begin, lengths = kept.get_seq_length(), [len(text) for text in texts]
    total = sum(lengths)
    owner = torch.cat([torch.full((n,), k) for k, n in enumerate(lengths)])
    seen = (owner[None, :] == owner[:, None]) & torch.ones(total, total).tril().bool()
    seen = torch.cat([torch.ones(total, begin, dtype=torch.bool), seen], dim=1)
    places = torch.cat([torch.arange(begin, begin + n) for n in lengths])
    dtype = loaded.model.dtype
    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
    scores = loaded.model(
        input_ids=torch.tensor([[token for text in texts for token in text]], device=loaded.device),
        attention_mask=mask[None, None].to(loaded.device),
        position_ids=places[None].to(loaded.device),
        past_key_values=kept,
        use_cache=True,
    ).logits[0]
    kept.crop(-total)
    return scores


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
