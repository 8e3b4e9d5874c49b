"""`mybot chat`: talk with a persona in the terminal, bubble by bubble as they are written."""

import asyncio
import itertools
import re
import sys
import time
from collections.abc import AsyncIterator

from rich.console import Console
from rich.markup import escape

from bot import words
from bot.engine.wire import Sampling, Talker
from bot.engine.worker import open_talker
from bot.faults import told
from bot.persona.facts import Facts
from bot.persona.message import Message, Segment
from bot.reminding import Reminding
from bot.reply import Where, reply
from config.errors import EngineError
from config.settings import Chat, Engine, Web, load

console = Console(highlight=False)

QUIT, CLEAR = ("/quit", "/exit", f"/{words.QUIT('zh')}"), ("/clear", f"/{words.CLEAR('zh')}")
_COMMAND = re.compile(r"/[^\s/]+")
HELP = f"/clear {words.CLEAR.both()}  /quit {words.QUIT.both()}"


class Conversation:
    """One private chat with a persona, in memory; the same for the terminal, the browser and the demo."""

    def __init__(self, talker: Talker, knobs: Chat | Web, facts: Facts) -> None:
        self._talker = talker
        self._knobs = knobs
        self._reminding = Reminding(facts=facts)
        self._messages: list[Message] = []
        self._numbers = itertools.count()
        self._where = Where("private", knobs.name)
        self.persona = ""
        """Hash of the persona that spoke last."""

    def clear(self) -> None:
        self._messages.clear()

    async def say(self, text: str) -> AsyncIterator[str]:
        """Say something; the bubbles of the answer. Raises EngineError when there is none."""
        self._keep(text, mine=False)
        persona, now = self._talker.persona, time.time()
        steps = reply(
            self._talker,
            self._messages,
            self._where,
            Sampling.of(persona.generation, temperature=self._knobs.temperature),
            now=now,
            memory=self._reminding.of(self._messages, persona.prompt, now=now),
            guard=self._knobs.guard,
            never=self._reminding.facts.forbidden,
        )
        answer: list[str] = []
        try:
            async for said in steps:
                if said.bubble:
                    self.persona = said.persona
                    answer.append(said.bubble)
                    yield said.bubble
                elif said.finish not in ("stop", "length"):
                    raise EngineError(f"no answer: {said.why or said.finish}", hint="is the engine still running?")
        finally:
            for bubble in answer:
                self._keep(bubble, mine=True)

    def _keep(self, text: str, *, mine: bool) -> None:
        name = self._talker.persona.prompt.me if mine else self._knobs.name
        number, now = str(next(self._numbers)), int(time.time())
        message = Message(number, "local:private", "private", now, name, name, [Segment("text", text)], mine)
        self._messages.append(message)
        # The prompt reaches no further back than this anyway.
        del self._messages[: -self._talker.persona.prompt.history_private]


def known(knobs: Chat | Web) -> Facts:
    """What the owner has confirmed; nothing where the file isn't there. InputError where it can't be read."""
    return Facts.load(knobs.me) if knobs.me.is_file() else Facts()


def main(knobs: Chat) -> None:
    asyncio.run(_main(knobs))


def engine_for(knobs: Chat | Web) -> Engine:
    """The [engine] table with what the command overrides."""
    given = {
        "persona": knobs.persona,
        "url": knobs.url,
        "device": knobs.device,
        "load_in_8bit": knobs.load_in_8bit,
        "load_in_4bit": knobs.load_in_4bit,
    }
    return load(Engine, **{name: value for name, value in given.items() if value})


async def _main(knobs: Chat) -> None:
    with console.status("loading the persona …"):
        talker = await open_talker(engine_for(knobs))
    try:
        await converse(talker, knobs)
    finally:
        await talker.close()


async def converse(talker: Talker, knobs: Chat) -> None:
    """The loop of the terminal: a line in, bubbles out, until end of input, /quit or Ctrl-C."""
    me = talker.persona.prompt.me
    talk = Conversation(talker, knobs, known(knobs))
    console.print(f"[dim]{escape(words.YOU_TALK_TO.both(me=me))} {HELP}[/dim]")
    async for line in _lines(f"{knobs.name}: "):
        if line in QUIT:
            return
        if line in CLEAR:
            talk.clear()
            console.print(f"[dim]{escape(words.CLEARED.both(me=me))}[/dim]")
        elif _COMMAND.fullmatch(line):
            # A slip of the keys is nothing to say to anybody.
            console.print(f"[dim]{escape(HELP)}[/dim]")
        elif line:
            await _answer(talk, me, line)


async def _lines(question: str) -> AsyncIterator[str]:
    """What is typed, line by line; from a pipe as it comes."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        while line := await asyncio.to_thread(sys.stdin.readline):
            console.print(question, end="", markup=False)
            console.print(line.strip(), markup=False)
            yield line.strip()
        return
    from prompt_toolkit import PromptSession

    # Python's own input() can't be broken off while it waits, and deletes half a 汉字.
    session: PromptSession[str] = PromptSession()
    while True:
        try:
            yield (await session.prompt_async(question)).strip()
        except EOFError:
            return


async def _answer(talk: Conversation, me: str, line: str) -> None:
    silent = True
    try:
        with console.status(f"[dim]{escape(words.THINKS.both(me=me))}[/dim]") as waiting:
            async for bubble in talk.say(line):
                silent = False
                waiting.stop()
                console.print(f"[green]{escape(me)}:[/green] ", end="")
                console.print(bubble, markup=False)
    except EngineError as error:
        console.print(told("zh", error), markup=False)
        console.print(error.lines(), markup=False)
        return
    if silent:
        console.print(f"[dim]{escape(words.SAID_NOTHING.both(me=me))}[/dim]")
