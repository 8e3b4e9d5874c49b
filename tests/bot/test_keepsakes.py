"""Drafts, preferences and consents: kept over a restart, decided once."""

import asyncio

from bot.history import History
from bot.keepsakes import Draft, Preference

GROUP, PRIVATE = "qq:group:7001", "qq:private:20001"


async def check_keepsakes(history: History) -> None:
    """The same on every database, which holds none yet."""
    kept = history.keepsakes
    first = await kept.keep_draft(GROUP, ["去呀", "三点\x00?"], at=10.5, answers=["1", "2"], persona="ab", due=20.0)
    second = await kept.keep_draft(PRIVATE, ["嗯"], at=11.0, answers=["7"], persona="ab", kind="shadow")
    assert second == first + 1
    open_now = Draft(first, GROUP, 10.5, ("1", "2"), ("去呀", "三点\x00?"), "ab", "draft", 20.0, "open", (), None)
    assert await kept.draft(first) == open_now
    assert [d.number for d in await kept.open_drafts()] == [first, second]
    assert await kept.open_drafts(GROUP) == [open_now]

    # Of two who decide at once, one is told so.
    both = await asyncio.gather(
        kept.settle_draft(first, "edited", at=12.0, final=["去", "四点"]), kept.settle_draft(first, "sent", at=12.0)
    )
    assert sorted(both) == [False, True]
    decided = await kept.draft(first)
    assert decided is not None
    assert (decided.outcome, decided.decided_at) == ("edited" if both[0] else "sent", 12.0)
    assert not await kept.settle_draft(first, "dropped", at=13.0)
    assert not await kept.settle_draft(999, "dropped", at=13.0)
    assert [d.number for d in await kept.open_drafts()] == [second]
    assert [d.number for d in await kept.drafts(kind="draft")] == [first]
    assert [d.number for d in await kept.drafts(kind="shadow", since=11.0, chat=PRIVATE)] == [second]
    assert await kept.drafts(kind="shadow", since=11.5) == []
    assert await kept.draft(999) is None

    number = await kept.keep_preference(
        GROUP, at=14.0, context=["1", "2"], rejected=["去呀"], chosen=["去", "四点"], persona="ab"
    )
    await kept.keep_preference(PRIVATE, at=15.0, context=["7"], rejected=["嗯"], chosen=["在"], persona="ab")
    pair = Preference(number, GROUP, 14.0, ("1", "2"), ("去呀",), ("去", "四点"), "ab")
    assert await kept.preferences(GROUP) == [pair]
    assert [p.number for p in await kept.preferences()] == [number, number + 1]

    await kept.set_consent(GROUP, "", "yes", 16.0)
    await kept.set_consent(GROUP, "20001", "yes", 16.0)
    await kept.set_consent(GROUP, "20001", "no", 17.0)
    said = [await kept.consent(GROUP), await kept.consent(GROUP, "20001"), await kept.consent(GROUP, "20002")]
    assert said == ["yes", "no", ""]


async def test_keepsakes_last(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path / 'history.db'}"
    history = await History.open(url)
    await check_keepsakes(history)
    drafts = await history.keepsakes.drafts(kind="draft")
    await history.close()
    history = await History.open(url)
    assert await history.keepsakes.drafts(kind="draft") == drafts
    assert len(await history.keepsakes.preferences()) == 2
    assert await history.keepsakes.consent(GROUP, "20001") == "no"
    await history.close()
