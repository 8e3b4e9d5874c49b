"""How the owner paces a conversation, as numbers: no words, no contact ids.

A neutral profile until one is learned. Times in seconds, drawn by the turn engine's own seed.
"""

from pydantic import BaseModel, ConfigDict, Field


class Behaviour(BaseModel):
    """What the turn engine asks about pace."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    learned: bool = False
    """Whether these numbers come from records; otherwise they are the neutral profile."""
    replies: int = Field(default=0, ge=0)
    """Replies the numbers were taken from."""
    chars: tuple[int, int, int] = (3, 6, 12)
    """Characters of one bubble: lower quartile, median, upper quartile."""
    bubbles: float = Field(default=1.4, ge=1)
    """Bubbles in a row, on average."""
    delay: tuple[float, float, float] = (3.0, 13.0, 60.0)
    """Seconds from the last foreign message to my first bubble: lower quartile, median, upper quartile."""
    bubble_gap: float = Field(default=4.0, ge=0)
    """Seconds between two of my bubbles in a row, median."""
