"""Every promise of the turn engine has a test of its number; behaviour.md lists them."""

import pickle
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from bot.events import (
    Action,
    Cancel,
    Cleared,
    Clock,
    Drafted,
    End,
    Ended,
    Event,
    Generate,
    Heard,
    Muted,
    Recalled,
    Ruled,
    Send,
    Sent,
    Settle,
    Wake,
)
from bot.rules import Rules
from bot.turn_state import Pace, State
from bot.turns import forget_idle, step

GROUP, FRIEND = "qq:group:7001", "qq:private:20001"
QUICK = Pace(delays=0.0, rally=False)
"""Answers at once, so that a test of something else knows when."""


@dataclass
class Stage:
    """A clock and an engine that drafts and a platform that sends, both as slow as they are told."""

    pace: Pace = QUICK
    bubbles: Sequence[str] = ("嗯",)
    drafting: float = 1.0
    sending: float = 0.1
    ends: list[End] = field(default_factory=list)
    """How the next drafts end; afterwards all are done."""
    now: float = 1000.0
    log: list[tuple[float, Action]] = field(default_factory=list)
    agenda: list[tuple[float, Event]] = field(default_factory=list)
    numbers: int = 0

    def __post_init__(self) -> None:
        self.state = State(self.pace, seed=3)
        for chat in (GROUP, FRIEND):
            self.tell(Ruled(chat, Rules("called")))

    def tell(self, event: Event) -> list[Action]:
        actions = step(self.state, event, self.now)
        for action in actions:
            self.log.append((self.now, action))
            self._obey(action)
        return actions

    def _obey(self, action: Action) -> None:
        chat = action.chat
        if isinstance(action, Wake):
            self.agenda = [(at, e) for at, e in self.agenda if not isinstance(e, Clock) or e.chat != chat]
            self.agenda.append((action.at, Clock(chat)))
        elif isinstance(action, Cancel):
            drafts = Drafted | Ended
            self.agenda = [(at, e) for at, e in self.agenda if not isinstance(e, drafts) or e.turn != action.turn]
        elif isinstance(action, Generate):
            end: End = self.ends.pop(0) if self.ends else "done"
            said = self.bubbles if end == "done" else ()
            done = self.now + self.drafting
            self.agenda.extend((done, Drafted(chat, action.turn, text)) for text in said)
            self.agenda.append((done, Ended(chat, action.turn, end)))
        elif isinstance(action, Send):
            self.agenda.append((self.now + self.sending, Sent(chat, action.turn)))

    def say(self, sender: str, chat: str = GROUP, at: bool = False, **more: object) -> str:
        self.numbers += 1
        event = Heard(chat, f"m{self.numbers}", sender, self.now, private=chat == FRIEND, addressed=at)
        event = replace(event, **more)
        self.tell(event)
        return event.id

    def wait(self, seconds: float = 600.0) -> None:
        until = self.now + seconds
        while due := [item for item in self.agenda if item[0] <= until]:
            item = min(due, key=lambda pair: pair[0])
            self.agenda.remove(item)
            self.now = max(self.now, item[0])
            self.tell(item[1])
        self.now = until

    def all(self, kind: type[Action]) -> list[Action]:
        return [action for _, action in self.log if isinstance(action, kind)]

    @property
    def sends(self) -> list[Send]:
        return [action for _, action in self.log if isinstance(action, Send)]

    @property
    def generates(self) -> list[Generate]:
        return [action for _, action in self.log if isinstance(action, Generate)]

    def outcome(self, message: str) -> str:
        answered = [action for action in self.sends if message in action.answers]
        settled = [a.outcome for _, a in self.log if isinstance(a, Settle) and message in a.ids]
        assert len(answered) + len(settled) <= 1
        return "answered" if answered else settled[0] if settled else ""


def test_t01_one_turn():
    stage = Stage()
    message = stage.say("阿泽", at=True)
    again = Heard(GROUP, message, "阿泽", stage.now, addressed=True)
    stage.tell(again)
    stage.wait(2.5)
    stage.tell(again)
    stage.wait(30)
    stage.tell(again)
    forget_idle(stage.state, stage.now)
    stage.tell(again)
    stage.wait()
    assert [send.answers for send in stage.sends] == [(message,)]


def test_t01_also_for_a_message_from_the_future():
    stage = Stage()
    early = Heard(GROUP, "x", "阿泽", stage.now + 200, addressed=True)
    stage.tell(early)
    stage.wait(250)
    forget_idle(stage.state, stage.now)
    stage.tell(early)
    stage.wait()
    assert len(stage.sends) == 1


def test_t02_not_myself():
    stage = Stage()
    for chat in (GROUP, FRIEND):
        stage.say("我", chat, at=True, mine=True)
    stage.wait()
    assert not stage.generates


@pytest.mark.parametrize("quiet", [Ruled(GROUP, Rules("off")), Muted(GROUP, 1e12)], ids=["off", "muted"])
def test_t03_off_is_silent(quiet):
    stage = Stage(bubbles=("一", "二"))
    before = stage.say("阿泽", at=True)
    stage.tell(quiet)
    assert stage.outcome(before) == "off"
    assert stage.outcome(stage.say("小鹿", at=True)) == "off"
    stage.wait()
    assert not stage.generates
    stage.tell(Ruled(GROUP, Rules("called")))
    stage.tell(Muted(GROUP, 0))
    after = stage.say("阿泽", at=True)
    stage.wait()
    assert stage.outcome(after) == "answered"


def test_t03_off_in_the_middle_of_a_reply():
    stage = Stage(bubbles=("一", "二", "三"))
    stage.say("阿泽", at=True)
    stage.wait(3.0)
    assert len(stage.sends) == 1
    stage.tell(Ruled(GROUP, Rules("off")))
    stage.wait()
    assert len(stage.sends) == 1


def test_t03_a_mute_runs_out():
    stage = Stage()
    stage.tell(Muted(GROUP, stage.now + 60))
    stage.wait(61)
    later = stage.say("阿泽", at=True)
    stage.wait()
    assert stage.outcome(later) == "answered"


def test_t05_not_stale():
    stage = Stage()
    old = stage.say("阿泽", at=True, time=stage.now - 121)
    stage.wait()
    assert stage.outcome(old) == "stale"
    assert not stage.generates


def test_t08_recalled_before_the_draft():
    stage = Stage()
    message = stage.say("阿泽", at=True)
    stage.tell(Recalled(GROUP, message))
    stage.wait()
    assert not stage.generates
    assert stage.outcome(message) == "recalled"


def test_t08_recalled_while_drafting():
    stage = Stage(drafting=5)
    message = stage.say("阿泽", at=True)
    stage.wait(3)
    assert stage.generates
    stage.tell(Recalled(GROUP, message))
    stage.wait()
    assert not stage.sends


def test_t08_recalled_between_bubbles():
    stage = Stage(bubbles=("一", "二"))
    message = stage.say("阿泽", at=True)
    stage.wait(3)
    stage.tell(Recalled(GROUP, message))
    stage.wait()
    assert [send.text for send in stage.sends] == ["一"]


def test_t08_recall_of_one_line_of_a_burst_drafts_anew_without_it():
    stage = Stage(drafting=5)
    first, second = stage.say("阿泽", at=True), stage.say("阿泽")
    stage.wait(3)
    stage.tell(Recalled(GROUP, first))
    stage.wait()
    assert [todo.ids for todo in stage.generates] == [(first, second), (second,)]
    assert [send.answers for send in stage.sends] == [(second,)]


def test_t08_recall_that_comes_before_its_message():
    stage = Stage()
    stage.tell(Recalled(GROUP, "m1"))
    stage.say("阿泽", at=True)
    stage.wait()
    assert not stage.generates


def test_t09_no_interleaving():
    stage = Stage(bubbles=("一", "二", "三"), sending=2.0)
    stage.say("阿泽", at=True)
    stage.say("小鹿", at=True)
    stage.wait()
    turns = [send.turn for send in stage.sends]
    assert turns == sorted(turns)
    assert len(set(turns)) == 2


def test_t09_the_next_draft_waits_for_a_bubble_on_its_way():
    stage = Stage(sending=30.0)
    stage.say("阿泽", at=True)
    stage.wait(5)
    stage.say("小鹿", at=True)
    stage.wait(10)
    assert len(stage.generates) == 1
    stage.wait()
    assert len(stage.sends) == 2


def test_t09_a_late_bubble_of_a_cancelled_draft_is_not_said():
    stage = Stage(drafting=15.0)
    stage.say("阿泽", FRIEND)
    stage.wait(12.0)
    stage.say("阿泽", FRIEND)
    stage.wait(3.0)
    assert [todo.turn for todo in stage.generates] == [1, 2]
    stage.tell(Drafted(FRIEND, 1, "旧"))
    stage.tell(Ended(FRIEND, 1, "done"))
    stage.wait()
    assert [send.text for send in stage.sends] == ["嗯"]


def test_t13_called_is_answered():
    stage = Stage(drafting=2.0)
    said = stage.now
    message = stage.say("阿泽", at=True)
    stage.wait()
    assert stage.outcome(message) == "answered"
    sent = next(at for at, action in stage.log if isinstance(action, Send))
    assert sent - said == pytest.approx(stage.pace.debounce + 2.0)


def test_t13_uncalled_is_not():
    stage = Stage()
    stage.say("阿泽")
    stage.wait()
    assert not stage.generates


def test_t14_burst_is_one():
    stage = Stage()
    ids = [stage.say("阿泽", at=True)]
    for _ in range(4):
        stage.wait(1.5)
        ids.append(stage.say("阿泽"))
    stage.wait()
    assert [todo.ids for todo in stage.generates] == [tuple(ids)]
    assert [send.answers for send in stage.sends] == [tuple(ids)]


def test_t14_an_endless_burst_is_answered_after_debounce_max():
    stage = Stage(drafting=0.1)
    start = stage.now
    stage.say("阿泽", FRIEND)
    for _ in range(12):
        stage.wait(1.0)
        stage.say("阿泽", FRIEND)
    begun = next(at for at, action in stage.log if isinstance(action, Generate))
    assert begun - start == pytest.approx(stage.pace.debounce_max)


def test_t15_restart_then_finish():
    stage = Stage(drafting=15.0)
    ids = [stage.say("阿泽", FRIEND)]
    for _ in range(3):
        stage.wait(12.0)
        ids.append(stage.say("阿泽", FRIEND))
    assert len(stage.all(Cancel)) == 2
    stage.wait()
    assert [todo.ids for todo in stage.generates] == [tuple(ids[:n]) for n in (1, 2, 3)] + [tuple(ids[3:])]
    assert [send.answers for send in stage.sends] == [tuple(ids[:3]), tuple(ids[3:])]


def test_t15_after_a_restart_there_is_time_to_go_on():
    stage = Stage(drafting=20.0)
    stage.say("阿泽", FRIEND)
    stage.wait(15.0)
    stage.say("阿泽", FRIEND)
    stage.wait(1.0)
    stage.say("阿泽", FRIEND)
    stage.wait()
    assert [len(todo.ids) for todo in stage.generates] == [1, 3]


def test_t15_somebody_elses_line_does_not_restart():
    stage = Stage(drafting=5.0)
    stage.say("阿泽", at=True)
    stage.wait(3.0)
    stage.say("小鹿")
    stage.wait()
    assert not stage.all(Cancel)
    assert len(stage.sends) == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([("阿泽", False)], ["一", "新"]),
        ([("小鹿", True)], ["一", "新"]),
        ([("小鹿", False)], ["一", "二", "三"]),
        ([("小鹿", False), ("小林", False)], ["一", "二", "三"]),
        ([("小鹿", False), ("小林", False), ("小鹿", False)], ["一"]),
    ],
    ids=["the asker goes on", "somebody calls", "a bystander's line", "two of them", "the talk has moved on"],
)
def test_t16_stale_parts(lines, said):
    """Answered anew where an answer comes that sees it all; kept over a line or two; else the rest is dropped."""
    stage = Stage(bubbles=("一", "二", "三"))
    stage.say("阿泽", at=True)
    stage.wait(3.0)
    assert [send.text for send in stage.sends] == ["一"]
    stage.bubbles = ("新",)
    for who, at in lines:
        stage.say(who, at=at)
    stage.wait()
    assert [send.text for send in stage.sends] == said


def test_t16_what_is_kept_waits_until_the_newcomers_line_is_read():
    stage = Stage(bubbles=("一", "二"), sending=0.0)
    stage.say("阿泽", at=True)
    stage.wait(3.9)
    assert len(stage.sends) == 1
    spoke = stage.now
    stage.say("小鹿")
    stage.wait()
    second = [at for at, action in stage.log if isinstance(action, Send)][1]
    assert second - spoke >= 0.8 * (1.2 + 0.12)


def test_t16_stops_a_draft_that_is_still_going_on():
    stage = Stage(bubbles=())
    stage.ends = ["done"]
    stage.say("阿泽", at=True)
    stage.wait(1.9)
    stage.tell(Drafted(GROUP, 1, "一"))
    stage.wait(0.5)
    for who in ("小鹿", "小林", "小鹿"):
        stage.say(who)
    assert stage.all(Cancel) == [Cancel(GROUP, 1)]
    stage.wait()
    assert [send.text for send in stage.sends] == ["一"]


def test_t17_two_callers():
    stage = Stage()
    first = stage.say("阿泽", at=True)
    second = stage.say("小鹿", at=True)
    stage.wait()
    assert [send.answers for send in stage.sends] == [(first,), (second,)]
    assert [send.quote for send in stage.sends] == [None, second]


def test_t17_the_first_caller_stays_first_while_going_on():
    stage = Stage()
    stage.say("阿泽", at=True)
    stage.wait(1.0)
    stage.say("小鹿", at=True)
    stage.wait(0.5)
    stage.say("阿泽")
    stage.wait()
    assert [send.answers for send in stage.sends] == [("m1", "m3"), ("m2",)]


def test_t17_a_restart_does_not_cost_the_place_in_the_queue():
    stage = Stage(drafting=5.0)
    first = stage.say("阿泽", at=True)
    stage.wait(3.0)
    second = stage.say("小鹿", at=True)
    more = stage.say("阿泽")
    stage.wait()
    assert [send.answers for send in stage.sends] == [(first, more), (second,)]


def test_t17_quoted_where_the_first_answer_lands_below_the_second_call():
    stage = Stage(sending=1.0)
    stage.say("阿泽", at=True)
    stage.wait(3.0)
    assert len(stage.sends) == 1
    second = stage.say("小鹿", at=True)
    stage.wait()
    assert stage.sends[1].quote == second


@pytest.mark.parametrize(("others", "quoted"), [(3, False), (4, True)])
def test_t18_quote_when_needed(others, quoted):
    stage = Stage(bubbles=("一", "二"), drafting=5.0)
    message = stage.say("阿泽", at=True)
    stage.wait(2.0)
    for _ in range(others):
        stage.say("小鹿")
    stage.wait()
    assert [send.quote for send in stage.sends] == [message if quoted else None, None]


def test_t19_bare_at_waits_for_the_next_line():
    stage = Stage()
    ids = (stage.say("阿泽", at=True, bare=True),)
    stage.wait(3.5)
    ids += (stage.say("阿泽"),)
    stage.wait()
    assert [(todo.ids, todo.short) for todo in stage.generates] == [(ids, False)]


def test_t19_bare_at_alone_gets_a_short_answer():
    stage = Stage(bubbles=("在", "怎么了"))
    start = stage.now
    stage.say("阿泽", at=True, bare=True)
    stage.wait()
    at, todo = next((at, action) for at, action in stage.log if isinstance(action, Generate))
    assert at - start == pytest.approx(stage.pace.bare_wait)
    assert todo.short
    assert [send.text for send in stage.sends] == ["在"]


def test_t22_private_answers():
    stage = Stage()
    ids = []
    for _ in range(3):
        ids.append(stage.say("小鹿", FRIEND))
        stage.wait(20)
    assert [stage.outcome(message) for message in ids] == ["answered"] * 3


def test_t25_limits():
    stage = Stage(pace=replace(QUICK, per_minute=2), bubbles=("一",))
    ids = []
    for _ in range(5):
        ids.append(stage.say("小鹿", FRIEND))
        stage.wait(12)
    stage.wait()
    times = [at for at, action in stage.log if isinstance(action, Send)]
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[2:], strict=False))
    # What the limit held back is answered together when there is room again.
    assert [stage.outcome(message) for message in ids] == ["answered"] * 5
    assert len(times) == 3


def test_t25_what_waited_too_long_is_capped():
    stage = Stage(pace=replace(QUICK, per_minute=1))
    ids = [stage.say(who, at=True) for who in ("甲", "乙", "丙", "丁")]
    stage.wait()
    assert [stage.outcome(message) for message in ids] == ["answered", "answered", "capped", "capped"]


def test_bubbles_are_bounded_and_the_draft_is_stopped():
    stage = Stage(pace=replace(QUICK, max_bubbles=2), bubbles=("一", "二", "三"))
    stage.say("阿泽", at=True)
    stage.wait()
    assert [send.text for send in stage.sends] == ["一", "二"]
    assert len(stage.all(Cancel)) == 1


def test_pause_grows_with_length_and_is_bounded():
    stage = Stage(bubbles=("一", "好", "长" * 20, "长" * 400), sending=0.0)
    stage.say("阿泽", at=True)
    stage.wait()
    times = [at for at, action in stage.log if isinstance(action, Send)]
    short, long, longest = (b - a for a, b in pairwise(times))
    assert short < long
    assert longest <= 1.2 * (stage.pace.bubble_pause + stage.pace.typing_max)


@pytest.mark.parametrize("end", ["busy", "error"])
def test_a_failed_draft_is_tried_again_and_answered_once(end):
    stage = Stage(ends=[end, end])
    message = stage.say("阿泽", at=True)
    stage.wait()
    assert len(stage.generates) == 3
    assert [send.answers for send in stage.sends] == [(message,)]


def test_a_retry_waits_also_when_the_asker_goes_on():
    stage = Stage(ends=["error", "error"], drafting=0.0)
    start = stage.now
    ids = [stage.say("阿泽", FRIEND)]
    stage.wait(4.0)
    ids.append(stage.say("阿泽", FRIEND))
    stage.wait()
    times = [at - start for at, action in stage.log if isinstance(action, Generate)]
    first, second = stage.pace.retries[:2]
    assert times == pytest.approx([1.8, 1.8 + first, 1.8 + first + second])
    assert [send.answers for send in stage.sends] == [tuple(ids)]


@pytest.mark.parametrize(("ends", "drafts"), [(["error"] * 9, 5), (["timeout"], 1), (["done"] * 9, 2)])
def test_failure_is_silence(ends, drafts):
    stage = Stage(ends=list(ends), bubbles=())
    message = stage.say("阿泽", at=True)
    stage.wait()
    assert len(stage.generates) == drafts
    assert stage.outcome(message) == "failed"
    assert not stage.sends


def test_a_refused_bubble_ends_the_reply():
    stage = Stage(bubbles=("一", "二"), sending=99)
    stage.say("阿泽", at=True)
    stage.wait(5)
    stage.tell(Sent(GROUP, 1, ok=False))
    stage.wait()
    assert len(stage.sends) == 1


def test_clear_asks_no_more():
    stage = Stage()
    stage.say("阿泽", at=True)
    stage.tell(Cleared(GROUP))
    stage.wait()
    assert not stage.generates


def test_the_state_is_plain_data_and_a_quiet_chat_leaves_nothing():
    stage = Stage()
    stage.say("阿泽", at=True)
    copy = pickle.loads(pickle.dumps(stage.state))
    assert copy == stage.state == deepcopy(stage.state)
    assert copy.chats[GROUP].calls
    forget_idle(stage.state, stage.now)
    assert GROUP in stage.state.chats
    stage.wait()
    forget_idle(stage.state, stage.now)
    assert not stage.state.chats


def test_what_is_seen_is_bounded_by_the_stale_age():
    stage = Stage()
    for _ in range(1000):
        stage.say("阿泽")
        stage.wait(1.0)
    assert len(stage.state.chats[GROUP].seen) <= stage.pace.stale + 1


def test_a_run_replays_exactly():
    logs = []
    for _ in range(2):
        stage = Stage(bubbles=("一", "二", "三"))
        stage.say("阿泽", at=True)
        stage.wait()
        logs.append(stage.log)
    assert logs[0] == logs[1]
