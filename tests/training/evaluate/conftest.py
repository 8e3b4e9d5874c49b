"""One set of invented people for all axes, and the controls that stand in for a system."""

import random
from functools import cache

import pytest

from tests.training.evaluate import people
from tests.training.talkers import Room, habits_of, log_of, watched_of
from training.evaluate.figures import Draws
from training.evaluate.sample import Reply, Sample
from training.evaluate.watched import Watched


class World:
    """A sample of invented people and the answers of the controls to its moments."""

    def __init__(self, **how: float) -> None:
        self.chats = people.chats(**how)  # type: ignore[arg-type]
        self.sample: Sample = people.sample(self.chats)
        self.draws = Draws(7, 200)

    def control(self, name: str, number: int = 0) -> list[Reply]:
        """replay, babble, shuffled, other_member, me_earlier, laughing, tidied, truth, fresh."""
        draw = random.Random(f"{name} {number}")
        moments = self.sample.moments
        old = [reply.text for reply in self.sample.of("train")]
        mine = [moment.mine.text for moment in moments]
        by_place = {e.place: e for e in self.chats.of(self.chats.me)}
        asked = [by_place[int(moment.id)] for moment in moments]
        made = {
            "replay": lambda: draw.sample(old, len(mine)),
            "babble": lambda: people.babble(old, len(mine)),
            "shuffled": lambda: draw.sample(mine, len(mine)),
            "other_member": lambda: [people.reply(draw, people.FRIENDS["阿泽"], e.topic, e.context[0]) for e in asked],
            "me_earlier": lambda: old[-len(mine) :],
            "laughing": lambda: ["哈哈哈"] * len(mine),
            "tidied": lambda: [people.tidied(text) for text in draw.sample(old, len(mine))],
            "truth": lambda: mine,
            "fresh": lambda: [people.reply(draw, people.ME, e.topic, e.context[0]) for e in asked],
        }
        return people.answers(self.sample, made[name]())


@cache
def _world() -> World:
    return World()


@pytest.fixture(scope="session")
def world() -> World:
    return _world()


@pytest.fixture(scope="session")
def seen() -> Watched:
    """A person's days after those that were learned from."""
    log = log_of(room=Room(days=110, at_me=0.06))
    dev, border = (log.messages[len(log.messages) * tenths // 10].time for tenths in (2, 6))
    habits = habits_of(log, dev=0.5, test=0.6)
    return watched_of(habits.in_open_loop(), log, begin=border, dev=dev)
