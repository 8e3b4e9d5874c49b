"""What the persona says to the same few prompts, while it is trained.

    heldout.jsonl, dev ─the prompt the bot would feed─▶ the served decode loop ─▶ bubbles

Draws as the engine does, each prompt with its own seed, so that two evaluations differ by what was
learned and by nothing else. Leaves the training as it was: mode, random state and the model's
generation settings. What is said quotes the records: it goes into the page and nowhere else.
"""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bot.engine.budget import CPU_BUDGET
from bot.engine.model import Loaded, generate
from bot.engine.prompt_ids import prompt_ids
from bot.engine.rows import Row
from bot.engine.wire import Piece, Sampling
from bot.persona.manifest import Generation
from bot.persona.prompt import Bubble, PromptSpec, Turn, render, split_reply
from training.dataset import turns_of

ASKED = 5
LONGEST = 64
"""Tokens of one reply."""
SECONDS = 120.0
"""After which an evaluation's samples end, said or not."""


@dataclass(slots=True)
class Prompt:
    """What is asked: as people read it, as the model reads it, and what was really answered, if known."""

    asked: list[str]
    ids: list[int]
    answered: list[str]


def choose(tokenizer: Any, spec: PromptSpec, rows: Iterable[dict[str, Any]], longest: int, seed: int) -> list[Prompt]:
    """Five moments at which I answered somebody, a fair draw over the rows; fewer where there are fewer."""
    draw = random.Random(seed)
    chosen: list[tuple[dict[str, Any], int]] = []
    seen = 0
    for row in rows:
        turns = turns_of(row)
        moments = [n for n in range(1, len(turns)) if _answers(turns[n - 1], turns[n])]
        if not moments:
            continue
        seen += 1
        moment = (row, draw.choice(moments))
        if len(chosen) < ASKED:
            chosen.append(moment)
        elif (place := draw.randrange(seen)) < ASKED:
            chosen[place] = moment
    return [_prompt(tokenizer, spec, row, moment, longest) for row, moment in chosen]


def of_texts(tokenizer: Any, spec: PromptSpec, texts: Sequence[str], longest: int) -> list[Prompt]:
    """Prompts of one's own: each the first line of a private chat with somebody."""
    prompts = []
    for text in texts:
        turns = [Turn("user", [Bubble(line) for line in text.split("\n")])]
        prompts.append(
            Prompt(text.split("\n"), _ids(tokenizer, spec, turns, {"kind": "private", "name": ""}, longest), [])
        )
    return prompts


def say(model: Any, tokenizer: Any, prompts: Sequence[Prompt]) -> list[list[str]]:
    """The bubbles of the reply to each prompt."""
    pieces: list[list[str]] = [[] for _ in prompts]
    sampling = replace(Sampling.of(Generation()), max_tokens=LONGEST)
    deadline = time.monotonic() + SECONDS
    with _undisturbed(model):
        loaded = Loaded(
            model=model,
            tokenizer=tokenizer,
            device=str(model.device),
            context=0,
            ends=frozenset({tokenizer.eos_token_id}),
            hidden=frozenset(n for n, token in tokenizer.added_tokens_decoder.items() if token.special),
            most=CPU_BUDGET,
        )

        def row(number: int) -> Row:
            def deliver(piece: Piece) -> None:
                pieces[number].append(piece.text)

            return Row(prompts[number].ids, replace(sampling, seed=number), deadline, deliver, loaded.text_stream)

        # Alone where the card is nearly full, together where it isn't: a seeded row says the same.
        rows = [row(number) for number in range(len(prompts))]
        if not generate(loaded, rows, lambda _: None):
            for number in range(len(prompts)):
                pieces[number].clear()
                generate(loaded, [row(number)], lambda _: None)
    return [split_reply("".join(texts)) for texts in pieces]


@contextmanager
def _undisturbed(model: Any) -> Iterator[None]:
    """Evaluation mode and plain generation settings, and everything as before afterwards."""
    import torch
    import transformers

    training, settings = model.training, model.generation_config
    cards = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=cards):
        try:
            # A penalty of the base model's own would leak in.
            model.generation_config = transformers.GenerationConfig()
            model.eval()
            yield
        finally:
            model.generation_config = settings
            model.train(training)


def _answers(before: Turn, turn: Turn) -> bool:
    return before.role == "user" and any(b.target for b in turn.bubbles) and any(not b.mark for b in before.bubbles)


def _prompt(tokenizer: Any, spec: PromptSpec, row: dict[str, Any], moment: int, longest: int) -> Prompt:
    turns = turns_of(row)
    asked = [f"{b.label}: {b.text}" if b.label else b.text for b in turns[moment - 1].bubbles if not b.mark]
    ids = _ids(tokenizer, spec, turns[:moment], row, longest)
    return Prompt(asked[-3:], ids, [bubble.text for bubble in turns[moment].bubbles])


def _ids(tokenizer: Any, spec: PromptSpec, turns: Sequence[Turn], row: Mapping[str, str], longest: int) -> list[int]:
    """The prompt's tokens; oldest turns go until a reply fits behind it."""
    room = max(longest - LONGEST, longest // 2)
    ids: list[int] = []
    place = {"kind": row["kind"], "name": row["name"], "memory": row.get("memory", "")}
    for first in range(len(turns)):
        wire = [turn.to_wire() for turn in render(turns[first:], spec, **place)]
        ids = prompt_ids(tokenizer, wire, True)
        if len(ids) <= room:
            break
    return ids[-room:]
