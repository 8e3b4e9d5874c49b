"""A command as it was given: where, by whom, and with which words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.words import Language, Text
from plugins.admin import words
from plugins.admin.roles import Role


class Wrong(Exception):
    """The line is not how the command is written. Says what is wrong, or nothing."""


@dataclass(slots=True, frozen=True)
class Line:
    """`place` is where it was given, `chat` what it is about, `own` the private chat of who gave it."""

    place: str
    chat: str
    own: str
    sender: str
    role: Role
    words: Sequence[str] = ()
    """What stands there, without prefix, quotes, @s and --force."""
    ats: Sequence[str] = ()
    """Whom it names by an @."""
    quoted: str = ""
    """The id of the message that it quotes."""
    force: bool = False
    text: str = ""
    """All that follows the command's own words, as it was written."""
    language: Language = "zh"
    """What it is answered in."""

    def say(self, text: Text, /, **values: object) -> str:
        """A text in the language of the answer."""
        return text(self.language, **values)

    def begins(self, name: Sequence[str]) -> bool:
        """Whether its first words are these; phones like to begin a line with a capital."""
        return [word.lower() for word in self.words[: len(name)]] == list(name)

    def after(self, count: int) -> "Line":
        """The line without its first words."""
        text = self.text
        for _ in range(count):
            text = text.lstrip()
            text = text[len(text.split(maxsplit=1)[0]) :] if text else ""
        return replace(self, words=self.words[count:], text=text.strip())

    def only(self, most: int) -> Sequence[str]:
        """The words, which are no more than so many. Raises Wrong."""
        if len(self.words) > most:
            raise Wrong
        return self.words

    def number(self, least: float, most: float) -> float | None:
        """The only word as a number; None where there is none. Raises Wrong."""
        if not self.only(1):
            return None
        try:
            value = float(self.words[0])
        except ValueError:
            raise Wrong(self.say(words.NO_NUMBER, word=self.words[0])) from None
        if not least <= value <= most:
            raise Wrong(self.say(words.OUT_OF_RANGE, least=least, most=most))
        return value
