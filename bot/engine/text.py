"""From a row's tokens to text that may be sent at once.

Holds back half a character and any tail that could begin a stop string. Knows a decode function,
not a tokenizer or a model.
"""

from collections.abc import Callable, Sequence

_HALF = "\ufffd"
"""What a decoder shows for bytes that aren't a whole character (yet)."""


class TextStream:
    """The text of one reply as it grows. What was given out is never taken back."""

    def __init__(self, decode: Callable[[list[int]], str], stop: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stop = tuple(stop)
        self._ids: list[int] = []
        self._known = 0
        self._before = ""
        """The text of the first known ids."""
        self._held = ""
        self.stopped = False
        """Whether a stop string was found; the text ends before it."""

    def push(self, token: int) -> str:
        """The text that one more token lets out."""
        self._ids.append(token)
        whole = self._decode(self._ids)
        return "" if whole.endswith(_HALF) else self._release(self._grown(whole))

    def finish(self) -> str:
        """What was held back, at the end; half a character is dropped."""
        whole = self._decode(self._ids).rstrip(_HALF)
        return "" if self.stopped else self._release(self._grown(whole), last=True)

    def _grown(self, whole: str) -> str:
        # Decoding starts one step back: some decoders treat the first token of a text differently.
        grown = whole[len(self._before) :]
        if grown:
            self._ids = self._ids[self._known :]
            self._before = self._decode(self._ids) if self._known else whole
            self._known = len(self._ids)
        return grown

    def _release(self, grown: str, *, last: bool = False) -> str:
        self._held += grown
        found = [at for stop in self._stop if (at := self._held.find(stop)) >= 0]
        self.stopped = bool(found)
        free = min(found) if found else len(self._held) - (0 if last else self._tail())
        text, self._held = self._held[:free], self._held[free:]
        return text

    def _tail(self) -> int:
        """Length of the longest end of the held text that begins a stop string."""
        longest = max(map(len, self._stop), default=1) - 1
        sizes = range(min(longest, len(self._held)), 0, -1)
        return next((size for size in sizes if any(stop.startswith(self._held[-size:]) for stop in self._stop)), 0)
