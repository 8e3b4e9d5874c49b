"""How the runner drafts and speaks: prompt in, bubbles out, and what was said kept as mine.

Knows the engine, the history and the port; doesn't know when to speak, nor which draft still counts.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from uuid import uuid4

from bot.counting import Count
from bot.engine.wire import Ask, Sampling, Talker
from bot.events import Generate
from bot.history import History
from bot.persona.message import Kind, Message, Segment
from bot.port import Port
from bot.reply import Said, Where, reply
from config.settings import Bot

DISCLOSURE = "（说明一下：这里是 AI 在代我聊天，不是本人实时回复。）"
"""Said once in each private chat, before the first reply."""
SHORT = 24
"""Tokens of an answer to an @ without a word."""

STARTS = 4096
"""Chats of which is remembered where their last prompt began."""


@dataclass(slots=True)
class Scene:
    """The chat of a reply under way, and who speaks in it."""

    kind: Kind
    name: str
    author: str


@dataclass(slots=True)
class Voice:
    """One persona's voice in all chats."""

    talker: Talker
    history: History
    settings: Bot
    port: Port
    count: Count | None = None
    """Tokens of a prompt, so that it is kept within the persona's context."""
    starts: dict[str, str] = field(default_factory=dict)
    """Chat → where its last prompt began; of the chats that spoke last."""

    def scene(self, messages: list[Message]) -> Scene:
        """Where the newest message was said: the group's name, or the partner's."""
        last = messages[-1]
        names = [m.chat_name for m in reversed(messages) if m.chat_name]
        partners = [m.name for m in reversed(messages) if not m.mine and last.kind == "private"]
        return Scene(last.kind, next(iter(names + partners), ""), f"persona:{self.talker.persona.hash}")

    async def recent(self, chat: str) -> list[Message]:
        """What the chat said lately, as far as any prompt reaches back."""
        spec = self.talker.persona.prompt
        return await self.history.recent(chat, max(spec.history("private"), spec.history("group")))

    async def draft(self, todo: Generate, scene: Scene, messages: list[Message]) -> AsyncGenerator[Said, None]:
        """The reply to a chat as it is now; speakers that are new get their labels for good."""
        chat, settings = todo.chat, self.settings
        if scene.kind == "private":
            await self.port.typing(chat)
        labels = await self.history.labels(chat)
        known = set(labels)
        generation = self.talker.persona.generation
        sampling = Sampling.of(generation, temperature=settings.temperature, max_tokens=settings.max_tokens)
        if todo.short:
            sampling = replace(sampling, max_tokens=min(SHORT, sampling.max_tokens))
        where = Where(scene.kind, scene.name, labels, self.starts.pop(chat, ""))
        here = {message.id for message in messages}
        beyond = {m.reply_to for m in messages if m.reply_to} - here
        steps = reply(
            self.talker,
            messages,
            where,
            sampling,
            now=self.port.now(),
            answering=todo.ids[-1],
            quoted={message.id: message for message in await self.history.some(chat, beyond)},
            guard=settings.guard,
            count=self.count,
            ask=Ask(chat, "private" if scene.kind == "private" else "addressed"),
        )
        try:
            async with aclosing(steps):
                async for said in steps:
                    yield said
        finally:
            self.starts[chat] = where.start
            if len(self.starts) > STARTS:
                del self.starts[next(iter(self.starts))]
            self.history.keep_labels(chat, {who: label for who, label in labels.items() if who not in known})

    async def disclose(self, chat: str, scene: Scene) -> None:
        """Say once in a private chat who writes. Remembered when it is said: better twice than never."""
        due = scene.kind == "private" and self.settings.disclosure
        if due and not self.history.setting(chat, "disclosed"):
            await self.say(chat, scene, DISCLOSURE, flags=("system",))
            await self.history.put(chat, "disclosed", str(int(self.port.now())))

    async def say(
        self, chat: str, scene: Scene, text: str, *, quote: str | None = None, flags: tuple[str, ...] = ()
    ) -> None:
        """Send a bubble, and keep what was sent as mine. Raises what the port raises."""
        sent = await self.port.send(chat, text, quote)
        now = self.port.now()
        message = Message(
            id=sent or f"sent-{uuid4().hex}",
            chat=chat,
            kind=scene.kind,
            time=int(now),
            sender="",
            name=self.talker.persona.prompt.me,
            segments=[Segment("text", text)],
            mine=True,
            reply_to=quote,
            flags=flags,
            chat_name=scene.name,
        )
        await self.history.add(message, author=scene.author, at=now)
