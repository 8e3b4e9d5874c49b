"""What was said in other words is found, by a server's vectors: in its own chat only, and never waited for long."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from sqlite3 import ProgrammingError
from typing import Any

import pytest
from hypothesis import given, strategies as st

from bot import doctor, remembering
from bot.embeddings import Embeddings
from bot.persona.facts import Fact, Facts
from bot.persona.message import Message
from bot.recall import Recall
from bot.recall_tables import key_of
from bot.recall_vectors import FEWEST, NOTHING, Vector, blend
from bot.reminding import Reminding
from config.errors import EngineError, SettingsError
from config.settings import Bot, Dataset, Remember
from tests.bot.embedder import WIDTH, Embedder, embedder, embedding
from tests.bot.test_recall import SPEC, said
from tests.bot.test_remembering import Kept, contents
from tests.bot.test_runner import FRIEND, GROUP
from training import remember
from training.memories import Memories

TALK = [f"{a}{b}" for a in "今昨明前后大小新老红蓝绿" for b in "天书桌灯山鸟鱼虫"]
HUNGRY, EAT = "肚子空空的", "想干饭了"


@pytest.fixture
async def server() -> AsyncIterator[Embedder]:
    async with embedder() as one:
        yield one


@pytest.fixture
async def kept(tmp_path: Path, server: Embedder, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kept]:
    for pause in ("BREATH", "LULL", "IDLE"):
        monkeypatch.setattr(remembering, pause, 0.01)
    house = Kept(tmp_path)
    house.settings = house.settings.model_copy(
        update={"embeddings": server.url, "embeddings_model": "chars", "embeddings_timeout": 0.3}
    )
    await house.open()
    yield house
    await house.shut()


def lines_of(kept: Kept) -> Recall:
    lines = kept.memories._reminding.lines
    assert lines is not None
    return lines


async def embedded(kept: Kept, number: int) -> None:
    """Wait until so many lines have vectors."""
    vectors = lines_of(kept).vectors
    assert vectors is not None
    begun = time.monotonic()
    while await kept.memories._alone(vectors.__len__) < number:
        assert time.monotonic() - begun < 20
        await asyncio.sleep(0.01)


async def test_what_was_said_in_other_words_is_found_in_its_own_chat(kept: Kept, server: Embedder) -> None:
    assert not set(HUNGRY) & set(EAT)
    await kept.hear(HUNGRY, *TALK[:60])
    await kept.hear(*TALK[:60], chat=GROUP)
    await embedded(kept, 121)
    assert (await kept.asked(EAT))[0] == HUNGRY
    assert HUNGRY not in await kept.asked(EAT, GROUP)
    # Where words find it too, that is as before.
    assert (await kept.asked(f"那本{TALK[3]}呢"))[0] == TALK[3]
    assert kept.memories._embeddings is not None
    assert kept.memories._embeddings.failures == 0


POOR, BROKE = "手头紧巴巴", "钱包比脸还干净"


async def lacking(kept: Kept) -> None:
    """Wait until every fact has its vector."""
    vectors = lines_of(kept).vectors
    assert vectors is not None
    begun = time.monotonic()
    while await kept.memories._alone(lambda: vectors.lacking([fact.text for fact in kept.memories.facts.told])):
        assert time.monotonic() - begun < 20
        await asyncio.sleep(0.01)


def facts_kept(kept: Kept) -> int:
    vectors = lines_of(kept).vectors
    assert vectors is not None
    return len(vectors.facts())


async def test_a_fact_is_found_by_what_it_means_where_it_may_be_heard(kept: Kept, server: Embedder) -> None:
    assert not set(POOR) & set(BROKE)
    await kept.hear(*TALK[:60])
    await kept.hear(*TALK[:60], chat=GROUP)
    await embedded(kept, 120)
    assert POOR not in await kept.asked(BROKE)
    await kept.memories.remember(Fact(text=POOR, audience=["20001"]))
    await kept.memories.remember(Fact(text=HUNGRY))
    await kept.memories.remember(Fact(text="说不得的", kind="never"))
    await kept.memories.remember(Fact(text="谁也不告诉", audience="nobody"))
    await lacking(kept)
    assert (await kept.asked(BROKE), await kept.asked(BROKE, GROUP)) == ([POOR], [])
    assert (await kept.asked(EAT), await kept.asked(EAT, GROUP)) == ([HUNGRY], [HUNGRY])
    assert not {"说不得的", "谁也不告诉"} & {*server.texts}
    assert facts_kept(kept) == 2
    # What is forgotten goes at once, and what is written anew by hand is met at the next start.
    await kept.memories.forget_facts(POOR)
    assert (facts_kept(kept), await kept.asked(BROKE)) == (1, [])
    await kept.shut()
    Facts(fact=[Fact(text=POOR)]).write(kept.settings.me)
    await kept.open()
    await lacking(kept)
    assert (await kept.asked(BROKE, GROUP), facts_kept(kept)) == ([POOR], 1)


async def test_nothing_stands_out_among_lines_that_have_nothing_to_do_with_it(kept: Kept) -> None:
    await kept.hear(HUNGRY, *TALK[:60])
    await embedded(kept, 61)
    assert await kept.asked("钱包比脸还干净") == []


async def test_a_chat_without_memories_is_asked_for_nowhere(kept: Kept, server: Embedder) -> None:
    await kept.hear(*TALK[: FEWEST + 10])
    await embedded(kept, FEWEST + 10)
    before = server.requests
    assert await kept.asked(EAT, GROUP) == []
    assert await kept.asked("的") == []
    assert server.requests == before


async def test_what_is_forgotten_loses_its_vector_too(kept: Kept, tmp_path: Path) -> None:
    secret, *_ = await kept.hear(HUNGRY, *TALK[:40])
    await embedded(kept, 41)
    vectors, key = lines_of(kept).vectors, key_of(FRIEND, secret.id)
    assert vectors is not None
    kept_there = vectors.of([key])[key]
    await kept.history.forget(FRIEND, message=secret.id, at=time.time())
    assert (len(vectors), vectors.of([key])) == (40, {})
    # One that was made meanwhile has no line any more.
    vectors.keep({key: kept_there})
    assert len(vectors) == 40
    await kept.history.forget(FRIEND, at=time.time())
    assert len(vectors) == 0
    await kept.shut()
    assert kept_there.numbers not in contents(tmp_path)
    await kept.open()


async def test_what_was_recalled_before_it_had_a_vector_gets_none(kept: Kept, server: Embedder) -> None:
    kept.memories._asked_at = time.monotonic() + 3600
    regretted, *_ = await kept.hear(HUNGRY, *TALK[:40])
    await kept.memories._follow()
    kept.history.recall(FRIEND, regretted.id)
    await kept.history.flush()
    kept.memories._asked_at = 0.0
    await embedded(kept, 40)
    assert HUNGRY not in server.texts
    assert key_of(FRIEND, regretted.id) not in {key for _, key in lines_of(kept).live()}


async def test_forgotten_by_a_bot_that_knows_no_vectors(tmp_path: Path) -> None:
    lines = Recall.open(tmp_path / "memory.db")
    lines.add([(message := said(1, FRIEND, HUNGRY), None)])
    lines.embedded_by("chars").keep({key_of(FRIEND, message.id): Vector.of(embedding(HUNGRY))})
    lines.close()
    plain = Recall.open(tmp_path / "memory.db")
    assert plain.forget(FRIEND, until=10**10) == 1
    plain.close()
    again = Recall.open(tmp_path / "memory.db")
    assert len(again.embedded_by("chars")) == 0
    again.close()


@pytest.mark.parametrize("fault", ["slow", "refuses", "nonsense", "gone"])
async def test_a_server_that_fails_costs_little_and_words_still_find(
    kept: Kept, server: Embedder, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    await kept.hear("我对花生过敏", HUNGRY, *TALK[:40])
    await embedded(kept, 42)
    embeddings = kept.memories._embeddings
    assert embeddings is not None
    match fault:
        case "slow":
            server.wait = 1.2
        case "refuses":
            server.status = 500
        case "nonsense":
            server.answer = ["?"]
        case _:
            embeddings._url = "http://127.0.0.1:9/v1"
    with caplog.at_level(logging.WARNING):
        begun = time.perf_counter()
        assert await kept.asked("你对花生过敏吗") == ["我对花生过敏"]
        assert time.perf_counter() - begun < 1.0
    asked_so_far = server.requests
    assert await kept.asked("花生呢") == ["我对花生过敏"]
    # Left alone for a while: the second reply doesn't wait.
    assert (server.requests, embeddings.failures) == (asked_so_far, 1)
    (told,) = [record.getMessage() for record in caplog.records if record.name == "bot.embeddings"]
    assert "words alone find" in told
    assert "花生" not in told
    assert "127.0.0.1" not in told


async def test_a_server_that_comes_back_is_asked_again(server: Embedder) -> None:
    embeddings = Embeddings(server.url, model="chars", api_key="k")
    server.status = 503
    assert await embeddings.of(["花"]) is None
    server.status = 200
    assert await embeddings.of(["花"]) is None
    embeddings._again_at = time.monotonic() - 1
    assert await embeddings.of(["花", "鸟"]) == [Vector.of(embedding("花")), Vector.of(embedding("鸟"))]
    assert (embeddings.requests, embeddings.failures, set(server.keys)) == (2, 1, {"Bearer k"})
    await embeddings.close()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": []},
        {"data": [{"index": 0}]},
        {"data": [{"index": 0, "embedding": []}]},
        {"data": [{"index": 0, "embedding": [0.0, 0.0]}]},
        {"data": [{"index": 0, "embedding": ["x"]}]},
        {"data": [{"index": 0, "embedding": [1e400, 1.0]}]},
        {"data": [{"index": 0, "embedding": [1e308, 1.0]}]},
        {"data": [{"index": 0, "embedding": [10**400, 1.0]}]},
        {"data": [{"index": 0, "embedding": "AAAA"}]},
        {"data": None},
        [],
        "no",
    ],
    ids=str,
)
async def test_an_answer_that_is_none_is_a_failure(server: Embedder, answer: Any) -> None:
    embeddings = Embeddings(server.url, model="chars")
    server.answer = answer
    assert await embeddings.of(["花"]) is None
    assert embeddings.failures == 1
    await embeddings.close()


async def test_personal_data_never_gets_there_and_empty_texts_neither(server: Embedder) -> None:
    embeddings = Embeddings(server.url, model="chars")
    found = await embeddings.of(["我电话13812345678", "  ", "花"])
    assert server.texts == ["我电话[电话]", "花"]
    assert found is not None
    assert found[1] == NOTHING
    await embeddings.close()


async def test_what_a_server_refuses_as_a_whole_it_gets_in_smaller_pieces(kept: Kept, server: Embedder) -> None:
    server.most, server.longest = 8, 100
    long, *_ = await kept.hear("长" * 200, *TALK[:40])
    await embedded(kept, 40)
    vectors = lines_of(kept).vectors
    assert vectors is not None
    # The one that it never takes is passed over, and keeps nobody waiting.
    assert vectors.of([key_of(FRIEND, long.id)]) == {}
    await kept.hear(HUNGRY)
    await embedded(kept, 41)
    assert kept.memories._embeddings is not None
    assert kept.memories._embeddings.failures == 0


async def test_a_server_that_refuses_everything_has_failed(server: Embedder) -> None:
    embeddings = Embeddings(server.url, model="chars")
    server.status = 400
    assert await embeddings.of(["花", "鸟", "鱼"], waited_for=False) is None
    assert embeddings.failures == 1
    assert await embeddings.of(["花"], waited_for=False) is None
    await embeddings.close()


async def test_the_doctor_says_whether_vectors_come(server: Embedder) -> None:
    settings = Bot(embeddings=server.url, embeddings_model="chars", embeddings_timeout=5)
    (finding,) = await doctor._embeddings(settings)
    assert (finding.state, finding.text.split(",")[0]) == ("ok", f"chars: {WIDTH} numbers a line")
    server.status = 404
    (finding,) = await doctor._embeddings(settings)
    assert (finding.state, bool(finding.hint)) == ("wrong", True)
    assert await doctor._embeddings(Bot()) == []


def test_a_server_without_a_model_is_an_error_in_two_lines() -> None:
    with pytest.raises(SettingsError) as raised:
        Embeddings.of_settings(Bot(embeddings="http://127.0.0.1:9/v1"))
    assert raised.value.hint
    assert Embeddings.of_settings(Bot()) is None


def test_the_vectors_of_another_model_are_made_anew() -> None:
    lines = Recall.open(None)
    messages = [said(number, FRIEND, text) for number, text in enumerate(TALK[:40])]
    lines.add((message, None) for message in messages)
    vectors = lines.embedded_by("one")
    assert len(lines.without_vectors(100)) == 40
    vectors.keep({key: Vector.of(embedding(text)) for key, text in lines.without_vectors(100)})
    assert lines.without_vectors(100) == []
    assert len(lines.embedded_by("one")) == 40
    assert len(lines.embedded_by("another")) == 0
    assert len(lines.without_vectors(100)) == 40


def test_a_bot_that_still_runs_with_the_last_model_mixes_nothing(tmp_path: Path) -> None:
    messages = [said(number, FRIEND, text) for number, text in enumerate(TALK[:40])]
    running, again = Recall.open(tmp_path / "memory.db"), Recall.open(tmp_path / "memory.db")
    running.add((message, None) for message in messages)
    old = running.embedded_by("one")
    old.keep({key: Vector.of(embedding(text)) for key, text in running.without_vectors(100)})
    new = again.embedded_by("another")
    of_old = {key: Vector.of(embedding(text)) for key, text in again.without_vectors(20)}
    old.keep(of_old)
    assert (len(new), running.without_vectors(100)) == (0, [])
    new.keep({key: Vector.of(embedding(text)) for key, text in again.without_vectors(100)})
    assert old.of(list(of_old)) == {}
    asked, chat = next(iter(of_old.values())), running._chats[FRIEND][0]
    assert new.near(chat, asked).lines
    assert not old.near(chat, asked).lines
    running.close()
    again.close()


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40).filter(lambda values: max(map(abs, values)) > 1e-3))
def test_a_vector_is_like_itself_and_unlike_its_opposite(values: list[float]) -> None:
    one, opposite = Vector.of(values), Vector.of([-value for value in values])
    assert one.cosine(one) == pytest.approx(1)
    assert one.cosine(opposite) == pytest.approx(-1)
    whole = blend([(one, 1.0), (None, 0.5), (NOTHING, 0.5)])
    assert whole is not None
    assert whole.cosine(one) == pytest.approx(1, abs=0.01)
    assert blend([(one, 1.0), (opposite, 1.0)]) is None
    assert blend([(None, 1.0)]) is None


async def test_remember_makes_vectors_goes_on_where_it_was_and_training_finds_by_them(
    tmp_path: Path, server: Embedder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command, broken off by the server once; then the same search in both halves."""
    monkeypatch.setenv("MYBOT_BOT_EMBEDDINGS", server.url)
    monkeypatch.setenv("MYBOT_BOT_EMBEDDINGS_MODEL", "chars")
    messages = [said(number, FRIEND, text) for number, text in enumerate([HUNGRY, *TALK[:95]])]
    write(tmp_path / "messages.jsonl", messages)
    Facts(fact=[Fact(text=POOR)]).write(tmp_path / "me.toml")
    knobs = Remember(data=tmp_path, memory=tmp_path / "memory.db", as_json=True)
    server.fails_after = 2
    with pytest.raises(EngineError, match="64 lines have one"):
        await asyncio.to_thread(remember.main, knobs)
    server.fails_after = 10**9
    await asyncio.to_thread(remember.main, knobs)
    assert json.loads(capsys.readouterr().out)["vectors"] == 96
    assert len(server.texts) == 97
    await asyncio.to_thread(remember.main, knobs)
    assert len(server.texts) == 97

    asks = said(2000, FRIEND, EAT)
    store = Recall.open(knobs.memory)
    store.add([(asks, None)])
    store.embedded_by("chars").keep({key_of(FRIEND, asks.id): Vector.of(embedding(EAT))})
    with Memories(Dataset(data=tmp_path), SPEC) as memories:
        memories.begin()
        memories.see(messages)
        trained = memories._reminding.of([asks], SPEC, now=asks.time, vectors=memories._known([asks]))
        broke = said(2001, FRIEND, BROKE)
        known = {key_of(FRIEND, broke.id): Vector.of(embedding(BROKE))}
        of_facts = memories._reminding.of([broke], SPEC, now=asks.time, vectors=known)
        found_by_words = memories._reminding.of([asks], SPEC, now=asks.time)
        chat_of_training = memories._reminding.lines
    served = Reminding(store).of([asks], SPEC, now=asks.time, vectors=store.vectors.of([key_of(FRIEND, asks.id)]))  # pyright: ignore[reportOptionalMemberAccess]
    assert [one.message.text for one in trained] == [one.message.text for one in served] == [HUNGRY]
    assert found_by_words == []
    assert [(one.kind, one.message.text) for one in of_facts] == [("fact", POOR)]
    store.close()
    with pytest.raises(ProgrammingError, match="closed"):
        memories._known([asks])
    assert chat_of_training is not None
    with pytest.raises(ProgrammingError, match="closed"):
        chat_of_training.newest(FRIEND, 1)


def write(path: Path, messages: list[Message]) -> None:
    path.write_text("".join(message.to_json() + "\n" for message in messages), encoding="utf-8")
