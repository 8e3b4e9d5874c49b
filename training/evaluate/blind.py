"""`mybot evaluate --blind`: friends guess on a small local page whether I wrote it, or the persona did.

    a moment nobody trained on ─▶ what was said before, and one reply: mine or the persona's ─▶ me or bot?

Every guess is written down at once (data/evaluate/blind-….jsonl); the shares go into the report. The page
listens on this machine alone and shows held-out messages: let people look who were there anyway.
"""

import asyncio
import json
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from aiohttp import web
from rich.console import Console

from config.errors import InputError
from training import html
from training.evaluate.figures import Figure
from training.evaluate.sample import Answers, Moment

HOST = "127.0.0.1"
BEFORE = 8
"""Messages that are shown before the reply."""
NAME = 20
"""Characters of a guesser's name."""

console = Console(stderr=True, highlight=False)

_STYLE = """
.said{border:1px solid var(--line);border-radius:.8rem;padding:.6rem 1rem;margin:1rem 0}
.said p{margin:.25rem 0;white-space:pre-wrap}.reply p{background:var(--mine);border-radius:.6rem;padding:.2rem .7rem;display:table}
button{font:inherit;font-size:1.1rem;padding:.6rem 1.6rem;margin:.4rem .6rem .4rem 0;border-radius:.6rem;border:1px solid var(--line);
background:var(--page);color:var(--ink);cursor:pointer}button:hover{border-color:var(--bar)}input{font:inherit;padding:.3rem .6rem}
"""


@dataclass(slots=True, frozen=True)
class Card:
    """One question: what stood before, what was said, and who really said it."""

    moment: Moment
    bubbles: Sequence[str]
    mine: bool


@dataclass
class Game:
    """The cards in their order, and everybody's guesses."""

    cards: list[Card]
    path: Path
    places: dict[str, int] = field(default_factory=dict)
    """Guesser → the card they are at."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    """Stands in the page's form, so that no other page can guess for somebody."""

    @classmethod
    def of(cls, moments: Sequence[Moment], answers: Answers, path: Path, seed: int) -> "Game":
        """Each moment once, with my reply or the persona's, by lot."""
        rng = random.Random(seed)
        pairs = [(m, a) for m, a in zip(moments, answers, strict=True) if a.bubbles and m.mine.bubbles and m.messages]
        if not pairs:
            raise InputError("there is no reply to guess at", hint="run `mybot evaluate` without --blind first")
        rng.shuffle(pairs)
        cards = []
        for moment, answer in pairs:
            mine = rng.random() < 0.5
            cards.append(Card(moment, moment.mine.bubbles if mine else answer.bubbles, mine))
        game = cls(cards, path)
        for row in rows(path):
            game.places[row["who"]] = max(game.places.get(row["who"], 0), row["place"] + 1)
        return game

    def guess(self, who: str, place: int, mine: bool) -> None:
        """Keep a guess; one that was given before, or out of turn, doesn't count."""
        if place != self.places.get(who, 0) or place >= len(self.cards):
            return
        self.places[who] = place + 1
        self.path.parent.mkdir(parents=True, exist_ok=True)
        row = {"who": who, "place": place, "moment": self.cards[place].moment.id, "mine": self.cards[place].mine}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**row, "guessed_mine": mine}, ensure_ascii=False) + "\n")


def rows(path: Path) -> list[dict[str, Any]]:
    """The guesses that were kept."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def figures(path: Path) -> dict[str, Figure]:
    """What was guessed so far, with Wilson intervals; sessions are people."""
    kept = rows(path)
    people = len({row["who"] for row in kept})
    bot = [row["guessed_mine"] for row in kept if not row["mine"]]
    own = [row["guessed_mine"] for row in kept if row["mine"]]
    right = [row["guessed_mine"] == row["mine"] for row in kept]
    told = {"persona taken for me": bot, "me taken for me": own, "guessed right": right}
    return {name: _share(values, people) for name, values in told.items()}


def _share(values: Sequence[object], people: int) -> Figure:
    from scipy.stats import binomtest

    if not values:
        return Figure(status="insufficient", note="nobody has guessed yet")
    hits = sum(map(bool, values))
    interval = binomtest(hits, len(values)).proportion_ci(method="wilson")
    return Figure(
        value=hits / len(values), low=float(interval.low), high=float(interval.high), n=len(values), sessions=people
    )


def application(game: Game) -> web.Application:
    """The page: a form with the card, and where its guess goes."""

    async def show(request: web.Request) -> web.Response:
        who = request.query.get("who", "").strip()[:NAME]
        text = _asks_name() if not who else _card(game, who)
        return web.Response(text=text, content_type="text/html", headers={"Referrer-Policy": "no-referrer"})

    async def guess(request: web.Request) -> web.Response:
        form = await request.post()
        who = str(form.get("who", "")).strip()[:NAME]
        place = str(form.get("place", ""))
        if (
            form.get("token") != game.token
            or not who
            or not place.isdecimal()
            or form.get("guess") not in ("me", "bot")
        ):
            raise web.HTTPBadRequest
        game.guess(who, int(place), form.get("guess") == "me")
        raise web.HTTPSeeOther(request.rel_url.with_path("/").with_query(who=who))

    app = web.Application()
    app.add_routes([web.get("/", show), web.post("/guess", guess)])
    return app


async def _serve(game: Game, port: int) -> None:
    runner = web.AppRunner(application(game), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise InputError(f"port {port} can't be used: {error}", hint="choose another --blind-port") from None
        at = runner.addresses[0][1]
        console.print(f"http://{HOST}:{at}  (Ctrl-C ends it and writes the result into the report)")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def play(game: Game, port: int) -> None:
    """Serve the page until Ctrl-C."""
    try:
        asyncio.run(_serve(game, port))
    except KeyboardInterrupt:
        console.print(f"{sum(game.places.values())} guesses by {len(game.places)} people")


def _asks_name() -> str:
    form = '<form><input name="who" maxlength="20" placeholder="你的名字 · your name" autofocus><button>开始 · start</button></form>'
    return html.page("me or bot?", ["<h1>是本人，还是分身？ · Me or bot?</h1>", form], style=_STYLE)


def _card(game: Game, who: str) -> str:
    place = game.places.get(who, 0)
    head = f"<h1>是本人，还是分身？ · Me or bot?</h1><progress value={place} max={len(game.cards)}></progress>"
    if place >= len(game.cards):
        return html.page("me or bot?", [head, "<p>猜完了，谢谢！ · That was all, thank you!</p>"], style=_STYLE)
    card = game.cards[place]
    before = "".join(f"<p>{_line(card.moment, n)}</p>" for n in range(-min(BEFORE, len(card.moment.messages)), 0))
    reply = "".join(f"<p>{escape(bubble)}</p>" for bubble in card.bubbles)
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(str(value))}">'
        for name, value in (("who", who), ("place", place), ("token", game.token))
    )
    buttons = '<button name="guess" value="me">本人 · me</button><button name="guess" value="bot">分身 · bot</button>'
    return html.page(
        "me or bot?",
        [
            head,
            f'<div class="said">{before}</div><div class="said reply">{reply}</div>',
            f'<form method="post" action="/guess">{hidden}{buttons}</form>',
        ],
        style=_STYLE,
    )


def _line(moment: Moment, number: int) -> str:
    message = moment.messages[number]
    name = "我 · me" if message.mine else moment.labels.get(message.sender) or message.name or moment.name
    return f'<span class="who">{escape(name)}</span> {escape(message.text)}'
