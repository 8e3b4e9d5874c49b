"""The gate, fitted: a logistic regression for each of entry and flow, in private and in groups.

Knows numbers only. numpy comes with the train extra and is imported late; nothing more is needed.
"""

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.persona.behaviour import DAY, HOUR
from bot.persona.gate import Gate, Gates
from bot.persona.watch import FEATURES, RARE
from training.occasions import Occasion

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LEAST = 30
"""Occasions that I took, and that I let pass, below which a gate is not learned."""
ROWS = 400_000
"""Occasions that are learned from, at most; of more, a fair draw."""
SMOOTH = 20.0
"""Occasions by which the rate of an hour is drawn towards that of all."""
DRIFT = 5.0
"""Replies by which a recalibration is held back."""
HELD = 1.0
"""How strongly a weight is drawn to 0."""
STEPS, NEAR = 50, 1e-6
"""Newton steps, at most, and when they have arrived."""
TRAIN, DEV, TEST = 0, 1, 2
_HOUR, _WEEKDAY = list(FEATURES).index("hour"), list(FEATURES).index("weekday")
_ANSWERED = list(FEATURES).index("answered")


@dataclass(slots=True)
class Rows:
    """Occasions, packed: a hundred bytes each."""

    values: "array[float]" = field(default_factory=lambda: array("f"))
    """Of each its features, and how strange its speaker is."""
    times: "array[float]" = field(default_factory=lambda: array("d"))
    marks: bytearray = field(default_factory=bytearray)
    """1 mine, 2 entry, 4 private, 8 and 16 the part."""

    def __len__(self) -> int:
        return len(self.times)

    def add(self, one: Occasion, part: int) -> None:
        self.values.extend(one.values)
        self.values.append(one.stranger)
        self.times.append(one.heard.time)
        self.marks.append(one.mine | one.entry << 1 | one.heard.private << 2 | part << 3)

    def halve(self) -> None:
        """Let every second one go."""
        width = len(FEATURES) + 1
        kept = Rows()
        for place in range(0, len(self), 2):
            kept.values.extend(self.values[place * width : (place + 1) * width])
        self.values, self.times, self.marks = kept.values, self.times[::2], self.marks[::2]


@dataclass(slots=True)
class Table:
    """The same as matrices, with what only all of them together tell filled in."""

    x: "Array"
    mine: "Array"
    entry: "Array"
    private: "Array"
    part: "Array"
    hours: tuple[float, ...] = ()
    weekdays: tuple[float, ...] = ()
    usual: tuple[float, float] = (0.0, 0.0)
    """The share of occasions that I take: in groups, in private."""

    @classmethod
    def of(cls, rows: Rows, utc_offset: int) -> "Table":
        """Rates by hour and weekday are those of the training part alone."""
        import numpy as np

        values = np.frombuffer(rows.values, dtype=np.float32).reshape(len(rows), len(FEATURES) + 1)
        x, strange = values[:, :-1].astype(np.float64), values[:, -1]
        marks = np.frombuffer(bytes(rows.marks), dtype=np.uint8)
        mine, entry, private, part = (marks & 1).astype(bool), marks & 2 > 0, marks & 4 > 0, marks >> 3
        local = np.frombuffer(rows.times, dtype=np.float64) + utc_offset
        hour, weekday = (local % DAY // HOUR).astype(int), (local // DAY + 3).astype(int) % 7
        learned = part == TRAIN
        table = cls(x, mine, entry, private, part)
        table.hours, table.weekdays = _rates(hour, mine, learned, 24), _rates(weekday, mine, learned, 7)
        x[:, _HOUR], x[:, _WEEKDAY] = np.array(table.hours)[hour], np.array(table.weekdays)[weekday]
        group, alone = (_share(mine[learned & (private == kind)]) for kind in (False, True))
        table.usual = group, alone
        # Until now the usual share was taken as none.
        known = np.exp(x[:, _ANSWERED]) - RARE
        x[:, _ANSWERED] = np.log(np.maximum(known, 0.0) + strange * np.where(private, alone, group) + RARE)
        return table

    def gates(self, *, private: bool, neutral: Gates) -> Gates:
        """Fitted on the training part, then recalibrated on dev."""
        kind = self.private == private
        usual = self.usual[private]
        pooled = self._gate(kind)
        if pooled is None:
            return neutral
        slices = (kind & self.entry, kind & ~self.entry)
        entry, flow = (self._recalibrated(self._gate(rows) or pooled, rows) for rows in slices)
        return Gates(entry=entry, flow=flow, usual=usual)

    def _gate(self, rows: "Array") -> Gate | None:
        rows = rows & (self.part == TRAIN)
        y = self.mine[rows]
        return fitted(self.x[rows], y) if min(y.sum(), (~y).sum()) >= LEAST else None

    def _recalibrated(self, gate: Gate, rows: "Array") -> Gate:
        """With the bias under which dev sees as many replies as it has; as it was where there is no dev."""
        import numpy as np

        rows = rows & (self.part == DEV)
        if not rows.any():
            return gate
        # DRIFT: a normal prior around no drift, so that a handful of replies moves nothing.
        z = log_odds(gate, self.x[rows])
        drift = logistic(np.ones((len(z), 1)), self.mine[rows], offset=z, held=np.array([DRIFT]))[0]
        return gate.model_copy(update={"bias": round(gate.bias + float(drift), 5)})


def fitted(x: "Array", y: "Array") -> Gate:
    """The gate of `y` on `x`."""
    import numpy as np

    low, high = np.quantile(x, [0.001, 0.999], axis=0)
    x = np.clip(x, low, high)
    mean, sd = x.mean(axis=0), x.std(axis=0)
    sd[sd < 1e-6] = 1.0
    columns = np.hstack([np.ones((len(x), 1)), (x - mean) / sd])
    held = np.full(columns.shape[1], HELD)
    held[0] = 0.0
    bias, *weights = logistic(columns, y, held=held)
    return Gate(
        bias=round(float(bias), 5),
        weights=_plain(weights),
        means=_plain(mean),
        sds=_plain(sd),
        low=_plain(low),
        high=_plain(high),
    )


def logistic(x: "Array", y: "Array", *, held: "Array", offset: "Array | float" = 0.0) -> "Array":
    """Weights of a logistic regression, each drawn to 0 by its `held` (ridge), by Newton's method.

    A step that would make things worse is halved, so it ends at the one best fit.
    """
    import numpy as np

    def loss(w: "Array") -> float:
        z = x @ w + offset
        return float((np.logaddexp(0.0, z) - y * z).sum() + (held * w * w).sum() / 2)

    weights = np.zeros(x.shape[1])
    now = loss(weights)
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights + offset, -500, 500)))
        slope = x.T @ (y - p) - held * weights
        bend = (x.T * (p * (1 - p))) @ x + np.diag(held + 1e-9)
        step = np.linalg.solve(bend, slope)
        while (then := loss(weights + step)) > now and np.abs(step).max() > NEAR:
            step = step / 2
        weights, before, now = weights + step, now, then
        if before - now < NEAR:
            break
    return weights


def log_odds(gate: Gate, x: "Array") -> "Array":
    """What the gate says of many occasions at once."""
    import numpy as np

    if not gate.weights:
        return np.full(len(x), gate.bias)
    columns = [np.array(part) for part in (gate.low, gate.high, gate.means, gate.sds, gate.weights)]
    low, high, means, sds, weights = columns
    return gate.bias + ((np.clip(x, low, high) - means) / sds) @ weights


def _rates(place: Any, mine: Any, learned: Any, n: int) -> tuple[float, ...]:
    """By place (hour, weekday) the log of how much more often I speak than on average."""
    import numpy as np

    of = np.bincount(place[learned], minlength=n)
    taken = np.bincount(place[learned & mine], minlength=n)
    usual = max(_share(mine[learned]), 1e-6)
    return _plain(np.log((taken + SMOOTH * usual) / (of + SMOOTH) / usual))


def _share(mine: Any) -> float:
    return round(float(mine.mean()), 5) if len(mine) else 0.0


def _plain(values: Any) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)
