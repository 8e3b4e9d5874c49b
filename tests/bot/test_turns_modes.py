"""When the turn engine speaks by itself, how long it takes, when it keeps silent, and how much it says at most."""

from dataclasses import replace

import pytest

from bot.events import (
    Before,
    Blocked,
    Counted,
    Drafted,
    Ended,
    Generate,
    Halted,
    Heard,
    Hushed,
    Propose,
    Recalled,
    Retry,
    Ruled,
    Said,
    Send,
    Settle,
    Stopped,
    TellOwner,
)
from bot.persona.behaviour import Behaviour
from bot.persona.gate import Gate, Gates
from bot.persona.watch import Traits
from bot.rules import Rules
from bot.turn_state import Pace, State
from bot.turns import forget_idle, step
from tests.bot.test_turns import FRIEND, GROUP, QUICK, Stage

ALWAYS = Gates(entry=Gate(bias=50.0), flow=Gate(bias=50.0), usual=0.1)
NEVER = Gates(entry=Gate(bias=-50.0), flow=Gate(bias=-50.0), usual=0.1)
EAGER = Behaviour(group=ALWAYS, share=1.0)
SLEEPER = Behaviour(group=ALWAYS, share=1.0, asleep=(23, 8))
"""Asleep from 23 to 8, in UTC+8."""
MIDNIGHT = 16 * 3600.0
"""In UTC+8."""


def chatty(stage: Stage, sender: str = "阿泽", chat: str = GROUP, at: bool = False, **more: object) -> str:
    """A line with its traits, so that it may be joined in."""
    chars = more.pop("chars", 4)
    seen = Traits(sender, stage.now, mine=bool(more.get("mine")), addressed=at, chars=int(str(chars)))
    return stage.say(sender, chat, at, traits=seen, **more)


def group(mode: str = "join", behaviour: Behaviour = EAGER, **more: object) -> Ruled:
    return Ruled(GROUP, Rules(mode, behaviour=behaviour, **more))


def joining(behaviour: Behaviour = EAGER, pace: Pace = QUICK, **more: object) -> Stage:
    stage = Stage(pace=pace)
    stage.tell(group("join", behaviour, **more))
    return stage


def told(stage: Stage) -> list[str]:
    return [action.reason for _, action in stage.log if isinstance(action, TellOwner)]


def test_join_is_drawn_with_the_chance_and_answers_nobody():
    stage = joining()
    chatty(stage)
    stage.wait()
    assert [(todo.rank, todo.answering) for todo in stage.generates] == [("join", ())]
    assert [(send.answers, send.quote) for send in stage.sends] == [((), None)]
    assert not joining(EAGER.model_copy(update={"group": NEVER})).generates


def test_join_is_drawn_never_cut_at_a_threshold():
    """Of many lines with a chance of a fifth each, about a fifth are joined."""
    fifth = Gates(entry=Gate(bias=-1.386), flow=Gate(bias=-1.386), usual=0.1)
    stage = joining(Behaviour(group=fifth, share=1.0), pace=replace(QUICK, per_day=10**6))
    for _ in range(1000):
        chatty(stage)
        stage.wait(30)
    assert 150 <= len(stage.generates) <= 250
    assert stage.state.chats[GROUP].why.p == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(
    "rules", [{"mode": "called"}, {"mode": "join", "freq": 0.0}, {"mode": "draft", "joins": False}]
)
def test_called_only_does_not_join(rules):
    stage = Stage()
    stage.tell(group(**rules))
    chatty(stage)
    stage.wait()
    assert not stage.generates


def test_a_pending_join_keeps_its_draw_and_waits_anew():
    stage = joining(pace=replace(QUICK, delays=1.0))
    start = stage.now
    for who in ("阿泽", "小鹿", "小林"):
        chatty(stage, who)
        stage.wait(0.4)
    u = stage.state.chats[GROUP].calls[0].u
    expected = EAGER.delay("entry", start + 0.8, u)
    stage.wait()
    begun = next(at for at, action in stage.log if isinstance(action, Send))
    assert len(stage.generates) == 1
    assert begun == pytest.approx(start + 0.8 + expected + stage.drafting, abs=0.01)


def test_a_call_takes_the_place_of_what_i_was_about_to_join():
    stage = joining(pace=replace(QUICK, delays=1.0))
    chatty(stage)
    message = chatty(stage, "小鹿", at=True)
    stage.wait()
    assert [todo.ids for todo in stage.generates] == [(message,)]


def test_t13_the_first_bubble_comes_after_my_delay_less_what_drafting_took():
    behaviour = Behaviour()
    stage = Stage(pace=replace(QUICK, delays=1.0), drafting=2.0)
    for _ in range(4):
        said = stage.now
        stage.say("小鹿", FRIEND)
        u = stage.state.chats[FRIEND].calls[0].u
        due = behaviour.delay("private", said, u)
        stage.wait(200)
        first = [at for at, action in stage.log if isinstance(action, Send)][-1]
        assert first - said <= stage.pace.debounce + due + stage.drafting + 0.01
        assert first - said >= due - 0.01
        if due > stage.pace.debounce + stage.drafting and stage.state.turns > 1:
            # Drafting took its time out of my delay.
            assert first - said == pytest.approx(due, abs=0.01)


def test_t13_a_busy_group_does_not_put_the_answer_off_for_ever():
    stage = Stage(pace=replace(QUICK, delays=1.0))
    start = stage.now
    message = chatty(stage, at=True)
    for _ in range(300):
        stage.wait(0.5)
        chatty(stage, "小鹿")
    assert stage.outcome(message) == "answered"
    first = next(at for at, action in stage.log if isinstance(action, Send))
    assert first - start <= stage.pace.debounce_max + 60.0 + stage.drafting


def test_t17_whom_i_answer_is_quoted_or_mentioned_as_i_do():
    told = []
    for ats, quotes in ((0.0, 0.0), (0.0, 0.2), (0.2, 0.0)):
        stage = Stage()
        stage.tell(group("called", Behaviour(ats=ats, quotes=quotes)))
        chatty(stage, at=True)
        second = chatty(stage, "小鹿", at=True)
        stage.wait()
        told.append((stage.sends[1].quote == second, stage.sends[1].at))
    assert told == [(True, None), (True, None), (False, "小鹿")]


def test_t14_the_debounce_follows_the_senders_own_pace():
    stage = Stage(pace=replace(QUICK, retries=()))
    times = {}
    for who, gap in (("快", 0.5), ("慢", 2.4)):
        for _ in range(4):
            stage.say(who)
            stage.wait(gap)
        stage.wait(60)
        begun = stage.now
        stage.say(who, at=True)
        stage.wait(60)
        times[who] = [at for at, action in stage.log if isinstance(action, Generate)][-1] - begun
    assert times == pytest.approx({"快": 1.6, "慢": 3.6})


def test_t23_a_night_call_is_answered_later_or_next_morning():
    for night, least, most in (("later", 300.0, 1800.0), ("morning", 8 * 3600.0, 8 * 3600.0 + 1500.0)):
        stage = Stage(now=MIDNIGHT)
        stage.tell(group("called", SLEEPER, night=night))
        message = chatty(stage, at=True)
        assert stage.state.chats[GROUP].why.what == "answering"
        stage.wait(12 * 3600.0)
        assert stage.outcome(message) == "answered"
        first = next(at for at, action in stage.log if isinstance(action, Send))
        assert least <= first - MIDNIGHT <= most + 2.0


def test_t23_by_night_i_do_not_join_and_the_owner_is_answered_at_once():
    stage = Stage(now=MIDNIGHT)
    stage.tell(group("join", SLEEPER))
    stage.tell(Ruled(FRIEND, Rules("called", behaviour=SLEEPER, owned=True)))
    chatty(stage)
    assert stage.state.chats[GROUP].why.what == "night"
    message = stage.say("主人", FRIEND)
    stage.wait(60)
    assert [todo.ids for todo in stage.generates] == [(message,)]


def test_t23_what_waited_for_the_morning_over_a_restart_is_not_stale():
    stage = Stage(now=MIDNIGHT + 9 * 3600.0)
    stage.tell(group("called", SLEEPER, night="morning"))
    message = stage.say("阿泽", at=True, time=MIDNIGHT, held=True)
    stage.wait()
    assert stage.outcome(message) == "answered"


def test_t24_own_share_stays_under_the_cap():
    stage = joining(EAGER.model_copy(update={"share": 0.25}))
    flags = []
    for _ in range(200):
        chatty(stage)
        flags.append(False)
        before = len(stage.sends)
        stage.wait(30)
        flags.extend([True] * (len(stage.sends) - before))
    assert len(stage.sends) > 20
    assert all(sum(flags[n - 20 : n]) <= 5 for n in range(20, len(flags)) if flags[n - 1])


def test_t24_ignored_twice_i_back_off_until_somebody_calls_me():
    stage = joining()
    for _ in range(2):
        chatty(stage)
        stage.wait(1000)
    chatty(stage)
    assert len(stage.generates) == 2
    assert stage.state.chats[GROUP].why.what == "shy"
    stage.wait(5)
    chatty(stage, at=True)
    stage.wait(20)
    chatty(stage)
    stage.wait(20)
    assert [todo.rank for todo in stage.generates] == ["join", "join", "addressed", "join"]


def test_t24_a_talk_that_goes_on_is_no_ignoring():
    stage = joining()
    for _ in range(6):
        chatty(stage)
        stage.wait(100)
    assert len(stage.generates) == 6


def test_t25_a_person_is_not_answered_more_often_than_so_in_a_minute_over_all_chats():
    stage = Stage(pace=replace(QUICK, per_user=2))
    stage.tell(Ruled("qq:group:2", Rules("called")))
    for chat in (GROUP, "qq:group:2", GROUP, "qq:group:2"):
        chatty(stage, chat=chat, at=True)
        stage.wait(5)
    assert len(stage.generates) == 2
    stage.wait(60)
    assert len(stage.generates) == 4


def test_t25_the_day_is_counted_over_all_chats_and_ends():
    stage = Stage(pace=replace(QUICK, per_day=3))
    stage.tell(Counted(sent=1))
    ids = []
    for _ in range(4):
        ids.append(stage.say("小鹿", FRIEND))
        stage.wait(20)
    assert [stage.outcome(message) for message in ids] == ["answered", "answered", "capped", "capped"]
    assert told(stage) == ["capped"] * 2
    assert stage.state.chats[FRIEND].why.caps == ("day",)
    stage.wait(24 * 3600.0)
    assert stage.outcome(stage.say("小鹿", FRIEND)) == ""
    stage.wait(20)
    assert len(stage.sends) == 3


def test_t25_between_any_two_sends_there_is_a_gap():
    stage = Stage(pace=replace(QUICK, gap=3.0), sending=0.0)
    for chat in (GROUP, FRIEND):
        stage.say("小鹿", chat, at=True)
    stage.wait()
    times = [at for at, action in stage.log if isinstance(action, Send)]
    assert times[1] - times[0] == pytest.approx(3.0)


def test_t25_what_was_sent_in_the_minute_before_a_restart_counts():
    stage = Stage(pace=replace(QUICK, per_minute=2))
    stage.tell(Counted(FRIEND, times=(stage.now - 10, stage.now - 5), to=("小鹿",)))
    stage.say("小鹿", FRIEND)
    stage.wait(40)
    assert not stage.generates
    stage.wait(60)
    assert len(stage.sends) == 1


def test_t29_owner_first():
    stage = Stage(bubbles=("一", "二", "三"))
    asked = chatty(stage, at=True)
    stage.wait(3.0)
    assert len(stage.sends) == 1
    waiting = chatty(stage, "小鹿", at=True)
    stage.say("我", mine=True, owner=True)
    stage.wait(300)
    assert len(stage.sends) == 1
    assert (stage.outcome(asked), stage.outcome(waiting)) == ("answered", "owner")
    assert stage.outcome(chatty(stage, at=True)) == "owner"
    stage.wait(301)
    later = chatty(stage, at=True)
    stage.wait()
    assert stage.outcome(later) == "answered"


def test_t29_by_another_account_in_the_same_group_but_not_when_i_am_called():
    stage = Stage()
    called = stage.say("主人", at=True, owner=True)
    stage.wait(20)
    assert stage.outcome(called) == "answered"
    stage.say("主人", owner=True)
    assert stage.outcome(stage.say("阿泽", at=True)) == "owner"


def test_t29_not_in_the_owners_own_chat_with_me():
    stage = Stage()
    stage.tell(Ruled(FRIEND, Rules("called", owned=True)))
    ids = []
    for _ in range(2):
        ids.append(stage.say("主人", FRIEND, owner=False))
        stage.wait(20)
    assert [stage.outcome(message) for message in ids] == ["answered"] * 2


def test_t10_listed_bots_get_no_answer_and_start_nothing():
    stage = joining()
    stage.tell(Blocked(frozenset({"坏"}), frozenset({"机"})))
    outcomes = [stage.outcome(chatty(stage, who, at=True, **more)) for who, more in LISTED]
    chatty(stage, "机")
    stage.wait()
    assert outcomes == ["bot", "bot", "off"]
    assert not stage.generates


LISTED = (("机", {}), ("官方", {"bot": True}), ("坏", {}))


def test_t10_an_unlisted_ping_pong_ends_within_three_turns():
    stage = Stage(pace=replace(QUICK, rally=True), bubbles=("你好呀",))
    stage.say("别的机器人", at=True)
    for _ in range(10):
        before = len(stage.sends)
        stage.wait(4.0)
        if len(stage.sends) > before:
            chatty(stage, "别的机器人", at=True, chars=40)
    assert len(stage.sends) == 3
    assert told(stage) == ["bot"]


def test_t10_a_slower_one_ends_too_and_a_person_is_answered():
    stage = Stage(pace=replace(QUICK, rally=True), bubbles=("你好呀",))
    for _ in range(20):
        chatty(stage, "慢机器人", at=True)
        stage.wait(15.0)
    assert len(stage.sends) == 8
    stage = Stage(pace=replace(QUICK, rally=True), bubbles=("你好呀",))
    for _ in range(20):
        chatty(stage, "人", at=True)
        stage.wait(30.0)
    assert len(stage.sends) == 20


def test_t30_a_poke_is_answered_with_a_cooldown():
    stage = Stage(bubbles=("干嘛", "别戳"))
    first = stage.say("阿泽", at=True, bare=True, poke=True)
    stage.wait(20)
    again = stage.say("小鹿", at=True, bare=True, poke=True)
    stage.wait(60)
    later = stage.say("阿泽", at=True, bare=True, poke=True)
    stage.wait(20)
    assert [stage.outcome(poke) for poke in (first, again, later)] == ["answered", "cooldown", "answered"]
    assert [send.text for send in stage.sends] == ["干嘛", "干嘛"]


def test_t31_a_queued_join_expires_and_is_never_tried_again():
    stage = joining(pace=replace(QUICK, per_minute=1))
    chatty(stage, at=True)
    stage.wait(5)
    chatty(stage)
    stage.wait()
    assert [todo.rank for todo in stage.generates] == ["addressed"]
    assert stage.state.chats[GROUP].why.what == "expired"
    busy = joining()
    busy.ends = ["busy"]
    chatty(busy)
    busy.wait()
    assert len(busy.generates) == 1
    assert not told(busy)


def test_t31_a_join_that_was_drafted_too_late_is_not_said():
    stage = joining()
    stage.drafting = 40.0
    chatty(stage)
    stage.wait()
    assert len(stage.generates) == 1
    assert not stage.sends


def test_t31_the_rank_of_a_draft_says_who_goes_first():
    stage = joining()
    chatty(stage)
    stage.wait(20)
    chatty(stage, at=True)
    stage.say("小鹿", FRIEND)
    stage.wait()
    assert [todo.rank for todo in stage.generates] == ["join", "addressed", "private"]


def test_t32_silent_guest():
    stage = joining(guest=True)
    for _ in range(5):
        chatty(stage)
        stage.wait(20)
    assert not stage.generates
    assert stage.state.chats[GROUP].why.what == "guest"
    chatty(stage, at=True)
    stage.wait(20)
    chatty(stage)
    stage.wait(20)
    assert [todo.rank for todo in stage.generates] == ["addressed", "join"]


def test_draft_goes_to_the_owner_as_a_whole_and_is_said_when_approved():
    stage = Stage(pace=replace(QUICK, delays=1.0), bubbles=("一", "二"))
    stage.tell(group("draft", Behaviour()))
    message = chatty(stage, at=True)
    stage.wait(60)
    [proposed] = [action for _, action in stage.log if isinstance(action, Propose)]
    assert (proposed.kind, proposed.bubbles, proposed.answers) == ("draft", ("一", "二"), (message,))
    assert not stage.sends
    assert [a.outcome for _, a in stage.log if isinstance(a, Settle)] == ["drafted"]
    stage.tell(Said(GROUP, ("改过的",), message, (message,), "owner"))
    stage.wait(60)
    assert [(s.text, s.quote, s.answers, s.author) for s in stage.sends] == [("改过的", message, (message,), "owner")]


def test_shadow_says_nothing_and_the_owners_own_line_ends_the_draft():
    stage = Stage(pace=replace(QUICK, delays=1.0), bubbles=("一",), drafting=5.0)
    stage.tell(group("shadow", EAGER))
    first = chatty(stage, at=True)
    stage.wait(60)
    second = chatty(stage, at=True)
    stage.say("我", mine=True, owner=True)
    stage.wait(60)
    proposals = [action for _, action in stage.log if isinstance(action, Propose)]
    assert [(p.kind, p.bubbles, p.answers) for p in proposals] == [
        ("shadow", ("一",), (first,)),
        ("shadow", (), (second,)),
    ]
    assert proposals[0].at >= 1000.0 + Behaviour().delay("addressed", 1000.0, 0.01)
    assert not stage.sends
    assert stage.state.chats[GROUP].hushed_until == 0


def test_halted_is_silence_everywhere_until_it_goes_on():
    stage = Stage(bubbles=("一", "二", "三"))
    asked = chatty(stage, at=True)
    stage.wait(3.0)
    stage.tell(Halted(True))
    other = stage.say("小鹿", FRIEND)
    stage.tell(Said(FRIEND, ("说",)))
    stage.wait()
    assert [send.text for send in stage.sends] == ["一"]
    assert (stage.outcome(asked), stage.outcome(other)) == ("answered", "off")
    stage.tell(Halted(False))
    later = stage.say("小鹿", FRIEND)
    stage.wait()
    assert stage.outcome(later) == "answered"


def test_hushed_by_command_ends_by_itself_or_by_command():
    stage = Stage()
    stage.tell(Hushed(GROUP, stage.now + 100))
    assert stage.outcome(chatty(stage, at=True)) == "off"
    stage.tell(Hushed(GROUP, 0))
    message = chatty(stage, at=True)
    stage.wait(20)
    assert stage.outcome(message) == "answered"


def test_stop_drops_what_is_under_way():
    stage = Stage(bubbles=("一", "二", "三"))
    chatty(stage, at=True)
    stage.wait(3.0)
    stage.tell(Stopped(GROUP))
    stage.wait()
    assert len(stage.sends) == 1


def test_retry_answers_the_last_call_once_more():
    stage = Stage()
    message = chatty(stage, at=True)
    stage.wait(20)
    stage.tell(Retry(GROUP))
    stage.wait(20)
    assert [send.answers for send in stage.sends] == [(message,)] * 2
    stage.tell(Recalled(GROUP, message))
    stage.tell(Retry(GROUP))
    stage.wait(20)
    assert len(stage.sends) == 2
    forgotten = Stage()
    forgotten.tell(Retry(GROUP, "alt", "阿泽"))
    forgotten.wait(20)
    assert [send.answers for send in forgotten.sends] == [("alt",)]


def test_why_tells_the_last_decision_and_the_last_reply():
    stage = joining(EAGER.model_copy(update={"group": NEVER}))
    message = chatty(stage, at=True)
    stage.wait(20)
    chatty(stage, "小鹿")
    chat = stage.state.chats[GROUP]
    assert stage.outcome(message) == "answered"
    assert (chat.why_said.what, chat.why_said.delay) == ("answering", pytest.approx(1.8))
    assert chat.why.what == "silent"
    assert chat.why.p is not None
    assert chat.why.p < chat.why.drawn


def test_what_was_said_before_counts_for_speaking_up():
    stage = joining(EAGER.model_copy(update={"share": 0.25}))
    stage.tell(Before(GROUP, tuple(Traits("", 900.0 + n, mine=n % 2 == 0) for n in range(20))))
    chatty(stage)
    assert stage.state.chats[GROUP].why.what == "share"


def test_a_chat_that_may_be_joined_is_remembered_for_an_hour_and_a_thousand_idle_ones_bounded():
    stage = joining(EAGER.model_copy(update={"group": NEVER}))
    chatty(stage)
    stage.wait(1800)
    forget_idle(stage.state, stage.now)
    assert list(stage.state.chats) == [GROUP]
    stage.wait(1801)
    forget_idle(stage.state, stage.now)
    assert not stage.state.chats


def test_a_step_that_answers_nothing_needs_no_runner():
    """How a replay drives it: rules first, then events in order, each with its time."""
    state = State(QUICK, seed=5)
    step(state, Ruled(GROUP, Rules("join", behaviour=EAGER)), 0.0)
    seen = Traits("阿泽", 1.0)
    actions = step(state, Heard(GROUP, "1", "阿泽", 1.0, traits=seen), 1.0)
    assert [type(action) for action in actions] == [Generate]
    turn = actions[0].turn
    assert [a.text for a in step(state, Drafted(GROUP, turn, "嗯"), 2.0) if isinstance(a, Send)] == ["嗯"]
    assert step(state, Ended(GROUP, turn, "done"), 2.0) == []
