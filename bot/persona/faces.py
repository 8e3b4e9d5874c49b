"""The faces I use, by number: what a face that the model writes is sent as.

A prompt shows every face and sticker as the same mark; which ones are mine is learned from records
that know their ids, as shares of them and without a word. Doesn't know how a platform sends one.

    178                     a face of QQ
    231182/a1b2…/c3d4…      a sticker of its shop: package, sticker, key
"""

import re
from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from bot.persona.message import PLACEHOLDERS, Message, Segment

MARK = PLACEHOLDERS["face"]
"""What a face or a sticker reads as in a prompt and in a reply."""
LEAST, MOST = 3, 64
"""Uses of all my faces below which nothing is learned; different ones that are kept."""

_ID = r"^(?:[0-9]{1,5}|[0-9]{1,9}/[0-9A-Za-z]{1,64}/[0-9A-Za-z]{1,64})$"
_KNOWN = re.compile(_ID)
Id = Annotated[str, StringConstraints(pattern=_ID)]


class Faces(BaseModel):
    """My own faces; never an address of a picture."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    shares: dict[Id, float] = {}
    """Id → share of the faces I sent whose id is known; the most used first."""

    def draw(self, number: int, random: Random) -> list[str]:
        """So many of my faces, each as often as I use it; none where none is known."""
        if not self.shares:
            return []
        return random.choices(list(self.shares), list(self.shares.values()), k=number)


class FaceCount:
    """Counts the faces in my own messages."""

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()

    def see(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if message.mine and message.spoken:
                self._uses.update(s.id for s in message.segments if s.type in ("face", "sticker") and is_id(s.id))

    def fit(self) -> Faces:
        """The most used ones; none where there are too few to be a habit."""
        if self._uses.total() < LEAST:
            return Faces()
        kept = sorted(self._uses.items(), key=lambda item: (-item[1], item[0]))[:MOST]
        whole = sum(uses for _, uses in kept)
        return Faces(shares={id_: round(uses / whole, 4) for id_, uses in kept})


def is_id(text: str) -> bool:
    """Whether this is the id of a face or sticker of QQ, and nothing else."""
    return _KNOWN.fullmatch(text) is not None


def segments_of(text: str, faces: Iterable[str]) -> list[Segment]:
    """A bubble as segments, each face mark as the next of `faces`; marks beyond them are left out."""
    found: list[Segment] = []
    waiting = iter(faces)
    for place, words in enumerate(text.split(MARK)):
        if place and (face := next(waiting, None)) is not None:
            found.append(Segment("sticker" if "/" in face else "face", id=face))
        if words:
            found.append(Segment("text", words))
    return found
