"""An engine that writes something about chats instead of speaking in them: a summary, a list of facts.

Any OpenAI-compatible server will do, also before there is a persona; without one, a worker with the persona.
Personal data never reaches it. Doesn't know what is asked, nor what becomes of the answer.
"""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime, timezone
from pathlib import Path

from bot.engine.remote import Remote
from bot.engine.wire import Sampling, Talker
from bot.engine.worker import open_talker
from bot.persona import privacy
from bot.persona.manifest import Model, Persona, Provenance
from bot.persona.message import Message
from bot.persona.prompt import PromptSpec, clean_name
from config.settings import Engine, load

ME = "我"
"""What I am called where no persona says it."""
LONGEST = 800
"""Tokens that a text may have at most."""


async def open_writer(url: str, persona: Path | None) -> Talker:
    """The server at this URL, that of [engine] url, or an own worker. EngineError, PersonaError as they have it."""
    given = {"url": url, "persona": persona}
    knobs = load(Engine, max_new_tokens=LONGEST, **{name: value for name, value in given.items() if value})
    if knobs.urls and not knobs.persona.exists():
        return await Remote.open(knobs, _nobody())
    return await open_talker(knobs)


async def written(talker: Talker, asked: str, said: str, *, longest: int) -> str:
    """What the engine writes when it is asked this of that; empty where it fails."""
    messages = [{"role": "system", "content": asked}, {"role": "user", "content": said}]
    text = ""
    async with aclosing(talker.stream(messages, Sampling(temperature=0.3, max_tokens=longest))) as pieces:
        async for piece in pieces:
            text += piece.text
            if piece.finish and piece.finish not in ("stop", "length"):
                return ""
    return text.strip()


def record(lines: Sequence[Message], me: str, *, numbered: bool = False) -> str:
    """Messages as such an engine reads them, one a line, without personal data; numbered from 1, if so wanted."""
    return "\n".join(
        f"{f'{number} ' if numbered else ''}{me if line.mine else clean_name(plain(line.name))}: {plain(line.text)}"
        for number, line in enumerate(lines, 1)
    )


def plain(text: str) -> str:
    """A text on one line, without personal data."""
    return privacy.scrub(" ".join(text.split()))


def _nobody() -> Persona:
    """As who a server is prompted where there is no persona yet."""
    made = Provenance(created=datetime(2023, 1, 1, tzinfo=timezone.utc))
    return Persona(name="writer", model=Model(base="writer", context=4096), prompt=PromptSpec(me=ME), provenance=made)
