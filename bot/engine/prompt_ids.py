"""From chat messages to the token ids a model is fed: the one way, for serving and for training.

Knows chat templates and that nobody may forge a control token by typing it; takes a tokenizer
object, and imports neither torch nor transformers. The ids of an ordinary prompt are exactly
those of `tokenizer.apply_chat_template(messages, add_generation_prompt=…)`.

Somebody who types `<|im_end|>` must not end his turn. So the text of the prompt is cut inside
each control token that came from a message, and the parts are encoded one by one: the text
stays the same, letter by letter, but no part holds the token any more.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

Messages = Sequence[Mapping[str, str]]

_MARKUP = re.compile(r"<[^<>\s]+>")
_MARKUP_BEGINS = re.compile(r"<(?=[^<>\s]+>)")
_PRIVATE_USE = 0xF0000


@dataclass(slots=True, frozen=True)
class Encoded:
    """A prompt as text and as ids; `offsets` says which characters each id stands for."""

    text: str
    ids: list[int]
    offsets: list[tuple[int, int]]


def prompt_ids(tokenizer: Any, messages: Messages, add_generation_prompt: bool) -> list[int]:
    """The ids of a prompt, with control tokens only where the template wrote them."""
    parts = prompt_parts(tokenizer, messages, add_generation_prompt)
    return list(chain.from_iterable(tokenizer(p, add_special_tokens=False, verbose=False)["input_ids"] for p in parts))


def encode_prompt(tokenizer: Any, messages: Messages, add_generation_prompt: bool) -> Encoded:
    """The same ids, and where in the text each stands."""
    ids: list[int] = []
    offsets: list[tuple[int, int]] = []
    start = 0
    parts = prompt_parts(tokenizer, messages, add_generation_prompt)
    for part in parts:
        found = tokenizer(part, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        ids += found["input_ids"]
        offsets += [(start + a, start + b) for a, b in found["offset_mapping"]]
        start += len(part)
    return Encoded("".join(parts), ids, offsets)


def prompt_parts(tokenizer: Any, messages: Messages, add_generation_prompt: bool) -> list[str]:
    """The text of a prompt, cut where a message would have forged a control token."""
    control = control_tokens(tokenizer)
    said = "".join(message["content"] for message in messages)
    if control is None or not control.search(said):
        return [_render(tokenizer, messages, add_generation_prompt)]
    cut = next(chr(code) for code in count(_PRIVATE_USE) if chr(code) not in said)
    marked = [{**message, "content": _cut_all(control, message["content"], cut)} for message in messages]
    return [part for part in _render(tokenizer, marked, add_generation_prompt).split(cut) if part]


def control_tokens(tokenizer: Any) -> "re.Pattern[str] | None":
    """What nobody may say as a token: special tokens, and other added ones that look like `<think>`."""
    added = tokenizer.added_tokens_decoder.values()
    names = {token.content for token in added if token.special or _MARKUP.fullmatch(token.content)}
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return re.compile("|".join(map(re.escape, longest_first))) if names else None


def disarmed(text: str) -> str:
    """For programs that take what looks like a control token for one, whoever typed it: ‹ where such a thing begins."""
    return _MARKUP_BEGINS.sub("\u2039", text)


def _cut_all(control: "re.Pattern[str]", content: str, cut: str) -> str:
    # Again until none is left: tokens may overlap, and a cut breaks only the first.
    while control.search(content):
        content = control.sub(lambda found: found[0][:1] + cut + found[0][1:] if len(found[0]) > 1 else cut, content)
    return content


def _render(tokenizer: Any, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool) -> str:
    return tokenizer.apply_chat_template(
        [dict(message) for message in messages], tokenize=False, add_generation_prompt=add_generation_prompt
    )
