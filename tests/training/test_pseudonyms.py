"""Made-up names: the same in both halves and over runs, never a real one, turned back in a reply, and mine never touched."""

import json
import tempfile
from collections.abc import AsyncGenerator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from bot.engine.echo import Echo
from bot.engine.wire import Ask, Piece, Sampling
from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec, to_prompt
from bot.persona.pseudonyms import Hidden, Pseudonyms, fitting, is_made_up
from bot.reply import Where, reply
from config.settings import Dataset
from training import dataset, pseudonyms

ME = "小满"
PEOPLE = {"20002": "小鹿", "20003": "小鹿酱", "20004": "Tom", "20005": "好的", "20006": "鱼"}


def say(place: int, sender: str, text: str, chat: str = "qq:group:9", chat_name: str = "小鹿和Tom的群") -> Message:
    mine = sender == "10001"
    kind = "private" if ":private:" in chat else "group"
    name = ME if mine else PEOPLE[sender]
    at = 1_700_000_000 + place * 20
    return Message(f"{chat}/{place}", chat, kind, at, sender, name, [Segment("text", text)], mine, chat_name=chat_name)


def records() -> list[Message]:
    """A group and a friend, over many days."""
    said: list[Message] = []
    for day in range(40):
        at = day * 86400 // 20
        said += [
            say(at, "20002", "Tom来吗,tomato买了"),
            say(at + 1, "20004", f"小鹿酱和小鹿都来,{ME}呢"),
            say(at + 2, "20005", "好的"),
            say(at + 3, "10001", f"小鹿酱,我叫{ME},吃鱼{day}"),
            say(at + 4, "20003", "算我一个"),
            say(at + 5, "20006", "好的"),
        ]
        said[-2].segments.append(Segment("at", id="20004", name="Tom"))
    for day in range(40):
        at = day * 86400 // 20
        said += [
            say(at + 50, "20002", f"第{day}天", "qq:private:20002", "小鹿"),
            say(at + 51, "10001", f"嗯,小鹿{day}", "qq:private:20002", "小鹿"),
        ]
    return said


def write(folder: Path, messages: list[Message] | None = None) -> Path:
    rows = "".join(message.to_json() + "\n" for message in messages or records())
    (folder / "messages.jsonl").write_text(rows, encoding="utf-8")
    return folder


def spec_of(folder: Path) -> PromptSpec:
    return PromptSpec.model_validate_json((folder / "prompt.json").read_bytes())


def made(folder: Path) -> PromptSpec:
    dataset.main(Dataset(data=write(folder), pseudonyms=True, repeat_share=1, as_json=True))
    return spec_of(folder)


def test_the_rows_hold_no_real_name_and_no_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = made(tmp_path)
    report = json.loads(capsys.readouterr().out)
    rows = "".join((tmp_path / name).read_text(encoding="utf-8") for name in ("train.jsonl", "heldout.jsonl"))
    for hidden in ("小鹿", "Tom", *PEOPLE):
        assert hidden not in rows
    # Mine, an ordinary word, a name of one character and a longer word stay.
    for shown in (ME, "好的", "吃鱼", "tomato买了"):
        assert shown in rows
    assert '"label":"好的"' not in rows
    assert '"label":"鱼"' not in rows
    assert report["pseudonyms"] == {
        "people": 5,
        "names": 5,
        "hidden_in_texts": 3,
        "words_left_in_texts": 1,
        "people_with_anothers": 0,
    }
    sealed = spec.model_dump_json()
    assert not any(name in sealed for name in (*PEOPLE, "小鹿", "Tom"))


def test_a_person_keeps_the_name_over_runs_and_other_keys_give_others(tmp_path: Path) -> None:
    first = made(tmp_path).pseudonyms
    assert made(tmp_path).pseudonyms == first
    assert (tmp_path / "pseudonyms.json").stat().st_mode & 0o077 == 0
    other = tmp_path / "other"
    other.mkdir()
    second = made(other).pseudonyms
    assert first
    assert second
    assert first.of("20002") != second.of("20002")


def test_off_it_changes_nothing(tmp_path: Path) -> None:
    dataset.main(Dataset(data=write(tmp_path), as_json=True))
    assert spec_of(tmp_path).pseudonyms is None
    assert not (tmp_path / "pseudonyms.json").exists()
    assert "小鹿酱" in (tmp_path / "train.jsonl").read_text(encoding="utf-8")


def test_serving_sees_what_training_saw(tmp_path: Path) -> None:
    """The bot knows the chat at hand and the sealed hashes, the dataset knows everybody: one prompt."""
    spec = made(tmp_path)
    assert spec.pseudonyms
    made_up = spec.pseudonyms.of
    messages = [say(0, "20004", f"小鹿酱呢,{ME}"), say(1, "20005", "好的"), say(2, "20002", "Tom?")]
    prompt = to_prompt(messages, spec, {}, kind="group", name="小鹿和Tom的群")
    assert prompt[0]["content"] == spec.group.format(me=ME, name=f"{made_up('20002')}和{made_up('20004')}的群")
    assert prompt[1]["content"].split("\n") == [
        f"{made_up('20004')}: {made_up('20003')}呢,{ME}",
        f"{made_up('20005')}: 好的",
        f"{made_up('20002')}: {made_up('20004')}?",
    ]
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    labels = {
        bubble["label"] for row in rows for turn in row["turns"] for bubble in turn["bubbles"] if "label" in bubble
    }
    assert labels == {made_up(who) for who in PEOPLE}
    private = to_prompt([say(0, "20002", "在吗", "qq:private:20002")], spec, {}, kind="private", name="小鹿")
    assert private[0]["content"] == spec.private.format(me=ME, name=made_up("20002"))
    assert {row["name"] for row in rows if row["kind"] == "private"} == {made_up("20002")}


def test_a_made_up_name_is_never_a_real_one(tmp_path: Path) -> None:
    spec = made(tmp_path)
    assert spec.pseudonyms
    taken = spec.pseudonyms.of("20002")
    stranger = say(9_000_000, "20006", "我改名了")
    stranger.name = f"{taken}本人"
    everybody = [*records(), stranger]
    again, _ = pseudonyms.learn(tmp_path, lambda: everybody, ME)
    real = {message.name for message in everybody}
    assert again.round > spec.pseudonyms.round
    assert not any(again.of(who) in name for who in PEOPLE for name in real)


class Script(Echo):
    """A Talker whose persona has pseudonyms, and which says one thing."""

    def __init__(self, spec: PromptSpec, text: str) -> None:
        super().__init__(ME)
        self._persona = self.persona.model_copy(update={"prompt": spec})
        self._text = text

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        self.asked = messages
        yield Piece(self._text, finish="stop")


async def test_a_reply_speaks_of_people_by_their_real_names(tmp_path: Path) -> None:
    spec = made(tmp_path)
    assert spec.pseudonyms
    made_up = spec.pseudonyms.of
    newcomer = Message("n", "qq:group:9", "group", 1_700_000_001, "20099", "新来的", [Segment("text", "Tom呢")])
    messages = [say(0, "20002", "在吗"), newcomer]
    talker = Script(spec, f"{made_up('20002')}在\n@{made_up('20099')} 早\n问{made_up('20004')}\n{ME}来了")
    steps = [step async for step in reply(talker, messages, Where("group", "群"), Sampling())]
    # Tom isn't here: his made-up name can't be turned back, and would be said to real people.
    assert [step.bubble for step in steps if step.bubble] == ["小鹿在", "@新来的 早", f"{ME}来了"]
    assert steps[-1].held_back == 1
    asked = json.dumps(talker.asked, ensure_ascii=False)
    assert "新来的" not in asked
    assert "小鹿" not in asked
    assert f"{made_up('20099')}: {made_up('20004')}呢" in asked


def test_labels_of_an_earlier_persona_are_fixed_anew() -> None:
    known, other = Pseudonyms(key="ab" * 16), Pseudonyms(key="cd" * 16)
    labels = {"20002": "小鹿", "20003": known.of("20003"), "20004": f"{known.of('20004')}2", "20005": other.of("20005")}
    assert set(fitting(labels, known)) == {"20003", "20004"}
    assert set(fitting(labels, other)) == {"20005"}
    assert set(fitting(labels, None)) == {"20002"}


NAME = st.text(st.sampled_from("小鹿阿泽竹竿Tom12 好的"), min_size=1, max_size=5).map(str.strip).filter(bool)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.integers(20000, 20020).map(str), NAME, min_size=1, max_size=6),
    st.lists(st.one_of(NAME, st.sampled_from("，。 我去a1")), max_size=12),
)
def test_hiding_is_undone_by_revealing(people: dict[str, str], words: list[str]) -> None:
    messages = [
        Message(str(n), "qq:group:1", "group", n, who, name, [Segment("text", "x")])
        for n, (who, name) in enumerate(people.items())
    ]
    known = Pseudonyms(key="ab" * 16)
    text = "".join(part if isinstance(part, str) else "" for part in words)
    here = Hidden(known, messages)
    hidden = here.text(text)
    assert here.text(hidden) == hidden
    if len(set(people.values())) == len(people):
        assert here.revealed(hidden, {}) == text
    for made_up in map(known.of, people):
        hidden = hidden.replace(made_up, "\0")
    assert not any(name in hidden for name in people.values() if len(name) > 1 and not any(map(str.isascii, name)))
    assert all(is_made_up(known.of(who)) for who in people)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(PEOPLE)), st.lists(st.sampled_from([*PEOPLE.values(), ME, "去", " "]), max_size=6)
        ),
        min_size=1,
        max_size=8,
    )
)
def test_the_sealed_hashes_hide_what_a_plain_list_of_names_would(drawn: list[tuple[str, list[str]]]) -> None:
    """A second, plain way to hide: all names of the records, the longest first."""
    known = _learnt()
    messages = [say(n, who, "".join(words)) for n, (who, words) in enumerate(drawn)]
    here = Hidden(known, messages)
    for message in messages:
        plain, place = "", 0
        text = message.text
        while place < len(text):
            longest = next((n for n in ("小鹿酱", "小鹿", "Tom") if text.startswith(n, place)), "")
            after, before = text[place + len(longest) : place + len(longest) + 1], text[place - 1 : place]
            latin = longest == "Tom" and (
                (after.isascii() and after.isalnum()) or (before.isascii() and before.isalnum())
            )
            whose = next((who for who, name in PEOPLE.items() if name == longest), "")
            plain += known.of(whose) if longest and not latin else text[place]
            place += len(longest) if longest and not latin else 1
        assert here.text(text) == plain


@cache
def _learnt() -> Pseudonyms:
    with tempfile.TemporaryDirectory() as folder:
        return pseudonyms.learn(Path(folder), records, ME)[0]
