"""Where a chat falls silent: the cut of its messages into sessions, and the gap that cuts, learned.

Knows times only; doesn't know what was said.
"""

import math
from array import array
from collections.abc import Sequence

DEFAULT = 1800.0
"""Seconds, where a chat has too few pauses to learn from."""
LEAST = 200
"""Pauses below which nothing is learned."""
LONGEST = 400
"""Messages after which a session without a pause is cut: its tail is the next one's context."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 10.0, 7 * 86400.0
_BOUNDS = 600.0, 6 * 3600.0
_BINS = 96


class Pauses:
    """The pauses of one chat, counted by the logarithm of their length; small whatever the chat."""

    def __init__(self) -> None:
        self._bins = array("q", [0]) * _BINS

    def see(self, seconds: float) -> None:
        if _SHORTEST_PAUSE <= seconds < _LONGEST_PAUSE:
            self._bins[int(_log_share(seconds) * _BINS)] += 1

    def gap(self) -> float:
        """Seconds that part two sessions: the border between answering pauses and absences.

        Otsu's threshold (IEEE Trans. SMC 9, 1979) on the histogram of log pauses, within bounds.
        """
        total = sum(self._bins)
        if total < LEAST:
            return DEFAULT
        mean = sum(place * n for place, n in enumerate(self._bins)) / total
        best, below, below_sum, border = -1.0, 0, 0.0, 0
        for place, n in enumerate(self._bins):
            below, below_sum = below + n, below_sum + place * n
            above = total - below
            if not below or not above:
                continue
            apart = below_sum / below - (mean * total - below_sum) / above
            if (between := below * above * apart * apart) > best:
                best, border = between, place + 1
        seconds = _SHORTEST_PAUSE * (_LONGEST_PAUSE / _SHORTEST_PAUSE) ** (border / _BINS)
        return min(max(seconds, _BOUNDS[0]), _BOUNDS[1])


def lengths(times: Sequence[int], gap: float) -> list[int]:
    """How many messages each session has; an endless one is cut into stretches of LONGEST."""
    found: list[int] = []
    begun = 0
    for place in range(1, len(times) + 1):
        over = place == len(times) or times[place] - times[place - 1] >= gap
        if over or place - begun == LONGEST:
            found.append(place - begun)
            begun = place
    return found


def _log_share(seconds: float) -> float:
    return math.log(seconds / _SHORTEST_PAUSE) / math.log(_LONGEST_PAUSE / _SHORTEST_PAUSE)
