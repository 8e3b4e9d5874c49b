"""One port to all platforms: QQ's own, and the one for everything else."""

from collections.abc import Callable, Mapping, Sequence

from bot.owner import QQ
from bot.port import Port
from plugins.chat.elsewhere_port import ElsewherePort
from plugins.chat.port import OneBotPort


class Ports(Port):
    """Hands each chat to the port of its platform."""

    def __init__(self, bots: Callable[[], Mapping[str, object]]) -> None:
        self.qq = OneBotPort(bots)
        self.elsewhere = ElsewherePort(bots)

    def now(self) -> float:
        return self.qq.now()

    def meet(self, chat: str, account: str) -> bool:
        """Whether this account of ours speaks in a chat (see Homes.meet)."""
        platform = chat.partition(":")[0]
        return (self.qq.homes if platform == QQ else self.elsewhere.homes(platform)).meet(chat, account)

    async def send(
        self, chat: str, text: str, quote: str | None, at: str | None = None, faces: Sequence[str] = ()
    ) -> str:
        """Send a bubble where the chat is. Raises Unsent."""
        return await self._of(chat).send(chat, text, quote, at, faces)

    async def typing(self, chat: str) -> None:
        await self._of(chat).typing(chat)

    async def unsend(self, chat: str, id: str) -> bool:  # noqa: A002
        return await self._of(chat).unsend(chat, id)

    async def react(self, chat: str, id: str) -> bool:  # noqa: A002
        return await self._of(chat).react(chat, id)

    def has_faces(self, chat: str) -> bool:
        return self._of(chat).has_faces(chat)

    def _of(self, chat: str) -> Port:
        return self.qq if chat.startswith(f"{QQ}:") else self.elsewhere
