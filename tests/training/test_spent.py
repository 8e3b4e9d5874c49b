"""What a run took is what it held at most, and of several starts the most."""

import numpy as np

from training import spent


def test_the_peak_is_seen_though_it_is_gone_and_begins_anew() -> None:
    spent.begin()
    before = spent.peaks()["memory"]
    held = np.ones(80 << 20, dtype=np.uint8)
    del held
    assert spent.peaks()["memory"] > before + 0.07
    spent.begin()
    assert spent.peaks()["memory"] < before + 0.03


def test_of_two_starts_the_most_counts() -> None:
    assert spent.highest({"memory": 2.0, "card": 5.0}, {"memory": 3.0}) == {"memory": 3.0, "card": 5.0}
