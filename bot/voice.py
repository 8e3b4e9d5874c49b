"""How the runner drafts and speaks: prompt in, bubbles out, and what was said kept as mine.

Knows the engine, the history and the port; doesn't know when to speak, nor which draft still counts.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from random import Random
from uuid import uuid4

from bot import words
from bot.bystanders import line_of
from bot.engine.wire import Ask, Sampling, Talker
from bot.events import Generate
from bot.history import History
from bot.persona.copies import Lately
from bot.persona.faces import MARK, segments_of
from bot.persona.guard import never_mind
from bot.persona.memory import Recalled
from bot.persona.message import Kind, Message, Segment
from bot.persona.pseudonyms import fitting
from bot.port import Port
from bot.remembering import Remembering
from bot.reply import Said, Where, reply
from config.settings import Bot

SHORT = 24
"""Tokens of an answer to an @ without a word."""
PATIENCE = 30.0
"""Seconds that a reply nobody asked for may wait for the engine."""
EXCHANGES = 3
"""Times a reply is begun because its persona was exchanged before the first word."""

READ = 5
"""Lines of a chat that show which language is written there."""
STARTS = 4096
"""Chats of which is remembered where their last prompt began."""


@dataclass(slots=True)
class Scene:
    """The chat of a reply under way, and who speaks in it."""

    kind: Kind
    name: str
    author: str
    talker: Talker
    """The persona of this chat, for the whole of the reply."""


@dataclass(slots=True)
class Voice:
    """The voices of all chats."""

    talker: Callable[[str], Talker]
    """Who speaks in a chat. Raises MyBotError where nobody can."""
    history: History
    settings: Bot
    port: Port
    remembering: Remembering | None = None
    """What it is reminded of beyond the last lines."""
    starts: dict[str, str] = field(default_factory=dict)
    """Chat → where its last prompt began; of the chats that spoke last."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Chat → the characters of its last prompt; of the same chats."""
    lately: Lately = field(default_factory=Lately)
    """What stood in prompts lately, so that no chat hears it from another."""

    def scene(self, messages: list[Message], chat: str) -> Scene:
        """Where these were said: the group's name, or the partner's."""
        kind: Kind = "private" if ":private:" in chat else "group"
        names = [m.chat_name for m in reversed(messages) if m.chat_name]
        partners = [m.name for m in reversed(messages) if not m.mine and kind == "private"]
        talker = self.talker(chat)
        return Scene(kind, next(iter(names + partners), ""), f"persona:{talker.persona.hash}", talker)

    async def recent(self, chat: str) -> list[Message]:
        """What the chat said lately, as far as any prompt reaches back."""
        spec = self.talker(chat).persona.prompt
        return await self.history.recent(chat, max(spec.history("private"), spec.history("group")))

    async def draft(self, todo: Generate, scene: Scene, messages: list[Message]) -> AsyncGenerator[Said, None]:
        """The reply to a chat as it is now; speakers that are new get their labels for good.

        What a persona says to a prompt made for another one, exchanged in between, is not used: asked again.
        """
        chat = todo.chat
        if scene.kind == "private":
            await self.port.typing(chat)
        labels = fitting(await self.history.labels(chat), scene.talker.persona.prompt.pseudonyms)
        known = set(labels)
        where = Where(scene.kind, scene.name, labels, self.starts.get(chat, ""))
        beyond = {m.reply_to for m in messages if m.reply_to} - {message.id for message in messages}
        quoted = {message.id: message for message in await self.history.some(chat, beyond)}
        memory = await self._memory(scene, messages, where)
        try:
            for _ in range(EXCHANGES):
                made_for = scene.talker.persona.hash
                async with aclosing(self._ask(todo, scene, messages, where, quoted, memory)) as steps:
                    async for said in steps:
                        if said.persona != made_for != scene.talker.persona.hash and not said.why:
                            break
                        yield said
                        # From its first words on it is this one's reply.
                        made_for = said.persona
                    else:
                        return
            yield Said(finish="error", why="personas change faster than they speak")
        finally:
            self.starts.pop(chat, None)
            self.starts[chat], self.sizes[chat] = where.start, where.size
            if len(self.starts) > STARTS:
                oldest = next(iter(self.starts))
                del self.starts[oldest], self.sizes[oldest]
            self.history.keep_labels(chat, {who: label for who, label in labels.items() if who not in known})

    async def _memory(self, scene: Scene, messages: list[Message], where: Where) -> Sequence[Recalled]:
        if self.remembering is None:
            return ()
        spec, now = scene.talker.persona.prompt, self.port.now()
        return await self.remembering.recall(messages, spec, now=now, start=where.start)

    def _ask(
        self,
        todo: Generate,
        scene: Scene,
        messages: list[Message],
        where: Where,
        quoted: dict[str, Message],
        memory: Sequence[Recalled],
    ) -> AsyncGenerator[Said, None]:
        settings = self.settings
        generation = scene.talker.persona.generation
        sampling = Sampling.of(generation, temperature=settings.temperature, max_tokens=settings.max_tokens)
        if todo.short:
            sampling = replace(sampling, max_tokens=min(SHORT, sampling.max_tokens))
        for message in messages:
            if not message.mine:
                self.lately.hear(message.chat, message.text)
        return reply(
            scene.talker,
            messages,
            where,
            sampling,
            now=self.port.now(),
            answering=todo.answering[-1] if todo.answering else None,
            quoted=quoted,
            memory=memory,
            guard=settings.guard,
            disclosure=settings.disclosure,
            called=todo.rank != "join",
            elsewhere=[self.lately.from_elsewhere],
            faces=self._has_faces(todo.chat, scene),
            never=self.remembering.facts.forbidden if self.remembering else never_mind,
            ask=Ask(todo.chat, todo.rank, PATIENCE if todo.rank == "join" else None),
        )

    async def disclose(self, chat: str, scene: Scene) -> None:
        """Say once in a private chat who writes. Remembered when it is said: better twice than never."""
        due = scene.kind == "private" and self.settings.disclosure
        if due and not self.history.setting(chat, "disclosed"):
            said = [line_of(message) for message in (await self.recent(chat))[-READ:] if not message.mine]
            # "hello" and "ok" are said in Chinese chats too.
            language = words.written_in(said, least=3) or words.chosen(self.settings.language, ())
            await self.say(chat, scene, words.DISCLOSURE(language), flags=("system",))
            await self.history.put(chat, "disclosed", str(int(self.port.now())))

    async def say(
        self,
        chat: str,
        scene: Scene,
        text: str,
        *,
        quote: str | None = None,
        flags: tuple[str, ...] = (),
        answers: Collection[str] = (),
        at: str | None = None,
        author: str = "",
    ) -> None:
        """Send a bubble, and keep what was sent as mine, with the ids it answers. Raises what the port raises."""
        faces = self._faces(chat, scene, text)
        sent = await (self.port.send(chat, text, quote, at, faces) if faces else self.port.send(chat, text, quote, at))
        now = self.port.now()
        message = Message(
            id=sent or f"sent-{uuid4().hex}",
            chat=chat,
            kind=scene.kind,
            time=int(now),
            sender="",
            name=scene.talker.persona.prompt.me,
            segments=segments_of(text, faces) if faces else [Segment("text", text)],
            mine=True,
            reply_to=quote,
            flags=flags,
            chat_name=scene.name,
        )
        await self.history.add(message, author=author or scene.author, at=now, answers=answers)

    def _faces(self, chat: str, scene: Scene, text: str) -> list[str]:
        """What the face marks in a bubble are this time."""
        if MARK not in text or not self._has_faces(chat, scene):
            return []
        return scene.talker.persona.behaviour.face_ids.draw(text.count(MARK), Random(f"{chat} {self.port.now()}"))

    def _has_faces(self, chat: str, scene: Scene) -> bool:
        """Whether a face that the model writes can be one of my own there."""
        return bool(scene.talker.persona.behaviour.face_ids.shares) and self.port.has_faces(chat)
