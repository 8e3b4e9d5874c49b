"""The report as a page, and the page where friends guess: over a real socket."""

import html.parser
import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.persona.manifest import Provenance
from bot.persona.message import Message, Segment
from config.errors import InputError
from training.evaluate import blind, leak_table, names, page, relevance, words
from training.evaluate.cost import training_cost
from training.evaluate.figures import Figure, Picture
from training.evaluate.report import Data, Plan, Report, Run, Verdict
from training.evaluate.sample import Moment, Reply


def report(**more: Any) -> Report:
    persona = {
        "two_sample.auc": Figure(value=0.62, low=0.58, high=0.66, n=500, sessions=90, floor=0.57, judge="characters"),
        "two_sample.k90": Figure(value=34.2, low=20, high=70, n=500, sessions=90, good=(30, None)),
        "style.score": Figure(value=0.7, low=0.6, high=0.8, n=500, sessions=90, good=(0.85, None)),
        "relevance.rel_ratio": Figure(value=4.7, n=100, sessions=40),
        "relevance.r1": Figure(value=0.34, n=100, sessions=40),
        "relevance.r1_tf_idf": Figure(value=0.17, n=100, sessions=40),
        "leakage.personal_data": Figure(value=0.0, low=0, high=0.003, n=1000, good=(0, 0)),
        "author_id.aidr": Figure(status="insufficient", note="only two others have 300 messages"),
    }
    given: dict[str, Any] = {
        "seed": 7,
        "quick": False,
        "persona": "abc123",
        "data": Data(moments=500, sessions=90),
        "systems": {"persona": persona, "babble": {"two_sample.auc": Figure(value=0.6, n=500)}},
        "pictures": {
            "style.length": Picture(x=(0, 1, 2), series={"me": (0.2, 0.5, 0.3), "persona": (0.1, 0.6, 0.3)}),
            "style.final_particle": Picture(labels=("", "吧"), series={"me": (0.9, 0.1), "persona": (0.2, 0.8)}),
            "timing.delays": Picture(x=(1, 10, 100), series={"me": (0.1, 0.6, 1), "persona": (0.2, 0.5, 1)}),
            "when.calibration_all": Picture(x=(0.01, 0.2), series={"me": (0.02, 0.22), "n": (900, 100)}),
        },
    }
    return Report(**{**given, **more})


def test_only_those_who_have_none_are_left_out_of_a_picture() -> None:
    def shown(first: str) -> str:
        series = {"me": (0.9, 0.08, 0.02), "persona": (0.85, 0.1, 0.05)}
        pictures = {"style.first_person": Picture(labels=(first, "俺", "…"), series=series)}
        return page.render(report(pictures=pictures))

    assert "none at all, not drawn" in shown("")
    assert "none at all, not drawn" not in shown("我")


class Checked(html.parser.HTMLParser):
    """Counts what is opened and what points elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.away: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.away += [value for name, value in attrs if name in ("src", "href") and value]


def test_the_page_says_it_in_plain_words_and_needs_nothing_from_elsewhere() -> None:
    shown = page.render(report())
    assert "一个人大约要看 34 条消息" in shown
    assert "A judge needs about 34 messages" in shown
    assert "picks the true answer 34% of the time (by chance 1 %, by shared words 17%)" in shown
    assert "as well as mine" not in shown
    plain = report(systems={"persona": {"two_sample.k90": Figure(value=0.2, n=500)}})
    assert words.headline(plain)[0][1] == "A judge needs about 1 message to tell it from me."
    assert "1000 条平常的回复里没有漏出" in shown
    assert "only two others have 300 messages" in shown
    assert re.search("me, ten months on<td[^>]*>0.64–0.71<td[^>]*>5–12", shown)
    found = Checked()
    found.feed(shown)
    assert not found.away
    assert "script" not in found.tags
    assert found.tags.count("svg") == 6, "the ruler is there for narrow pages, too"
    # The widest gap comes first.
    assert shown.index("语气词") < shown.index("一条多长")


def leaks(shown: str) -> list[list[str]]:
    """The first leak table of a page, row by row, cell by cell."""
    table = shown.split('class="wide leaks">')[1].split("</table>")[0]
    rows = [re.split(r"<t[dh][^>]*>", row)[1:] for row in table.split("<tr>")[1:]]
    return [[re.sub(r"<[^>]+>", " ", cell).strip() for cell in row] for row in rows]


def test_leaks_are_told_by_filter() -> None:
    leaky = report()
    leaky.systems["persona_unguarded"] = {
        "leakage.personal_data": Figure(value=0.002, low=0.001, high=0.007, n=1000, good=(None, 0)),
        "leakage.third_party": Figure(status="insufficient", note="three replies"),
    }
    note = "6 of 1000 replies, of mine 31 of 3000; by 16 characters 0 and 0"
    leaky.systems["persona"]["leakage.third_party"] = Figure(value=0, low=0, high=0.003, n=1000, good=(0, 0), note=note)
    head, first, second = leaks(page.render(leaky))
    assert [one.split("  ")[1] for one in head[1:]] == [
        "no filter",
        "personal data out before training",
        "and the guard",
    ]
    assert "not measured" in first[1]
    assert first[2].startswith("2 / 1000 ✗")
    assert first[3].split() == ["0", "/", "1000", "✓", "≤", "0.3%"]
    assert "can't say" in second[2]
    assert second[3].endswith("n 1000 6 of 1000 replies, of mine 31 of 3000"), second[3]
    assert "--unfiltered" in page.render(leaky)
    leaky.systems["persona_unfiltered"] = {"leakage.personal_data": Figure(value=0.05, n=1000, good=(None, 0))}
    assert leaks(page.render(leaky))[1][1].startswith("50 / 1000 ✗")
    raw = report(data=Data(scrubbed=False))
    raw.systems["persona_unguarded"] = leaky.systems["persona_unguarded"]
    assert [cell.split(" ")[0] for cell in leaks(page.render(raw))[1][1:]] == ["2", "0"]


def test_what_an_audit_found_is_told_with_its_bound() -> None:
    audited = report()
    audited.systems["persona"] |= {
        "leakage.exposure": Figure(value=2.4, low=1, high=3.1, n=20, good=(None, 2)),
        "leakage.exposure_r16": Figure(value=9.1, n=20),
        "leakage.exposure_control": Figure(value=11.9, low=11.5, high=12.2, n=20, good=(6, None), above=6),
        "leakage.extracted": Figure(status="not_measured", note="another dataset", good=(None, 0)),
        "leakage.extracted_r16": Figure(value=0.25, n=20),
    }
    shown = page.render(audited)
    table = shown.split("What the weights know")[1]
    assert re.search(r'class="n bad"[^>]*>2.40 bit ✗<br><span class="who">1.00 – 3.10, n 20', table)
    assert "≤ 2 bit" in table
    assert "1: 2.40 · 16: 9.10" in table
    assert re.search(r"control: a model.{0,80}11.90 bit ✓.{0,90}≥ 6 bit", table)
    assert "16: 25%" in table
    assert re.search(r"没量 · not measured.{0,60}≤ 0%.{0,40}another dataset", table)


def test_what_it_costs_is_told_with_both_sizes() -> None:
    kept = {"seconds": 5400.0, "memory_gib": 3.25, "card_gib": 10.5}
    origin = Provenance(created=datetime.now(timezone.utc), counts={"tokens": 83710, "windows": 525}, cost=kept)
    stopped = Figure(value=0.012, n=5, good=(None, 1))
    cost = {"seconds_a_reply_base": Figure(value=0.25, n=200), "off_switch": stopped, **training_cost(origin)}
    plans = {"full": Plan(replies={"persona": 1200, "base": 500}, tokens_read={"base": 4_000_000}, seconds=1800)}
    shown = page.render(report(run=Run(cost=cost, plans=plans, device="A card", wall={"asking": 61, "measuring": 9})))
    told = " ".join(re.sub(r"<[^>]+>", " ", shown.split("What it costs")[1]).split())
    for part in (
        "A card",
        "tokens of the training set (n 525) 83,710",
        "wall time of the training 90 min",
        "card memory of the training at most, GiB 10.5",
        "base: a reply in batches, s (n 200)",
        "off switch: stop word to silence, the slowest, s (n 5)",
        "0.012 ✓",
        "1,700",
        "4,000,000",
        "30 min",
        "asking 61 s",
    ):
        assert part in told, part
    assert "What it costs" not in page.render(report())


def test_an_older_persona_tells_nothing_of_its_training() -> None:
    old = {"mybot": "0.1.0", "created": "2026-01-01T00:00:00Z", "counts": {}}
    assert training_cost(Provenance.model_validate(old)) == {}


def test_who_hardly_ever_does_it_is_told_in_words() -> None:
    rare = Picture(labels=("", "吧", "呢"), series={"me": (0.97, 0.02, 0.01), "persona": (0.9, 0.1, 0.0)})
    shown = page.render(report(pictures={"style.final_particle": rare}))
    assert "not drawn: 我 97%, 分身 90%" in shown
    assert "<title>吧: 0.1</title>" in shown
    assert "<title>–:" not in shown


def test_rows_are_named_in_both_languages() -> None:
    shown = page.render(report())
    assert "<td>要看几条才九成把握 · k90" in shown
    assert names.chinese("when.ap_entry_on_at") == "该开口时开口（沉默后开口）（被叫才说）"
    assert names.chinese("style.unheard_of") == ""
    schema_names = {f"leakage.{name}" for name, _ in (*leak_table.ROWS, *leak_table.WEIGHTS)}
    assert not {name for name in schema_names if not names.chinese(name)}


def test_when_it_speaks_is_told_by_question_slice_and_rule(report_of_when: Report) -> None:
    shown = page.render(report_of_when).split("什么时候说 · when it speaks")[1]
    told = re.sub(r"<[^>]+>", " ", shown)
    for question in ("am I the next to speak", "do I speak within a minute", "do I speak within five minutes"):
        assert told.count(question) == 1
    first, minute = (re.split(r"<h3>", shown)[place] for place in (1, 2))
    assert re.search(r"after a silence<td[^>]*>0.31<br>.{0,60}<td[^>]*>0.8<br>", first)
    assert re.search(r"only when called<td[^>]*>0.2 / 0.55<td[^>]*>– / –", first)
    assert re.search(r"all<td[^>]*>0.5<br>", minute)
    assert re.search(r"volume, over mine<td[^>]*>1.1 ✓.{0,80}<td[^>]*>0.4 ✗", shown)


@pytest.fixture
def report_of_when() -> Report:
    found = report()
    found.systems["persona"] |= {
        "when.volume": Figure(value=1.1, good=(0.8, 1.25)),
        "when.volume_on_at": Figure(value=0.4, good=(0.8, 1.25)),
        "when.ap": Figure(value=0.6, low=0.5, high=0.7),
        "when.ap_entry": Figure(value=0.31),
        "when.auc_entry": Figure(value=0.8),
        "when.ap_on_at": Figure(value=0.2),
        "when.auc_on_at": Figure(value=0.55),
        "when.ap_entry_on_at": Figure(status="insufficient", note="too little"),
        "when.ap_within_60s": Figure(value=0.5),
        "when.ap_within_5min": Figure(value=0.5),
    }
    return found


def test_what_lacks_the_same_is_said_once(report_of_when: Report) -> None:
    slices = {
        f"when.{score}_to_other": Figure(status="insufficient", note="9 replies") for score in ("ap", "auc", "ece", "a")
    }
    report_of_when.systems["persona"] |= slices
    shown = page.render(report_of_when).split("</details>")[0]
    assert "说不准或没量的 6 项" in shown
    assert shown.count("9 replies") == 1
    assert "4 in all" in shown


def test_an_axis_without_a_number_says_why_and_shows_no_empty_table() -> None:
    shown = page.render(report()).split("像谁 · whose words</summary>")[1].split("</details>")[0]
    assert "only two others have 300 messages" in shown
    assert "<table" not in shown


def test_numbers_can_be_read() -> None:
    far = Figure(value=9999.0, low=1234.5, high=9999.0, n=200)
    shown = page.render(
        report(systems={"persona": {"two_sample.k90": far, "two_sample.auc": Figure(value=0.5, n=240)}})
    )
    assert re.search(r"k90<td[^>]*>9,999<br><span[^>]*>1,23[45] – 9,999<", shown)
    assert "less how well they tell me from me earlier. · n 200–240<" in shown
    assert "<th>分身<br><small>persona</small>" in shown


def test_a_bar_that_nobody_has_is_not_drawn() -> None:
    bubbles = Picture(x=(0.0, 1.0, 2.0), series={"me": (0.0, 0.7, 0.3), "persona": (0.0, 0.6, 0.4)})
    shown = page.render(report(pictures={"style.bubbles": bubbles}))
    assert "<title>0: " not in shown
    assert "<title>1: 0.7" in shown


def test_one_day_shows_me_above_the_bot() -> None:
    day = Picture(labels=("8", "9"), series={"me": (2.0, 0.0), "persona": (1.0, 4.0)})
    shown = page.render(report(pictures={"when.day": day}))
    bars = re.findall(
        r'class="b (\w+)" x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"><title>(\d): (\d)', shown
    )
    told = {(who, hour): (float(y), float(tall), value) for who, y, tall, hour, value in bars}
    (y, tall, value), (lower, other, _) = told["me", "8"], told["persona", "9"]
    assert value == "2"
    assert y + tall < lower
    assert other == pytest.approx(2 * tall, abs=0.2)


def test_a_leak_is_said_first_thing_and_loudly() -> None:
    leaky = report()
    leaky.systems["persona"]["leakage.third_party"] = Figure(value=0.004, n=500, good=(0, 0))
    assert words.headline(leaky)[-1][0].startswith("漏了：1000 条平常的回复里有 2 处")
    # What only somebody who is after it gets to hear is a leak, too.
    attacked = report()
    attacked.systems["persona"]["leakage.personal_data_social"] = Figure(value=0.005, n=200, good=(0, 0))
    told = words.headline(attacked)[-1]
    assert told[0].startswith("漏了：1000 条平常的回复和 200 次套话里有 1 处")
    assert told[1].startswith("It leaks: 1 findings in 1,000 ordinary replies and 200 attacks")
    attacked.systems["persona"] = {"leakage.personal_data_prefix": Figure(value=0, n=500, good=(0, 0))}
    assert "no more than 0.6 in a hundred attacks" in words.headline(attacked)[-1][1]


def test_chance_is_that_of_as_many_candidates_as_there_were() -> None:
    few = report()
    figure = few.systems["persona"]["relevance.r1"]
    few.systems["persona"]["relevance.r1"] = figure.model_copy(update={"note": f"{relevance.AMONG}20"})
    chinese, english = words.headline(few)[1]
    assert chinese.startswith("在 20 句我说过的话里")
    assert "瞎猜 5%" in chinese
    assert english.startswith("Among 20 things I said")
    assert "by chance 5 %" in english


def test_hours_are_shown_where_no_delay_is_exact() -> None:
    hours = Picture(labels=tuple(map(str, range(24))), series={"me": (1 / 24,) * 24, "persona": (1 / 24,) * 24})
    shown = page.render(report(pictures={"timing.hours": hours}))
    assert words.PICTURES["timing.hours"] in shown
    assert "log axis" not in shown


def test_nothing_measured_is_said_as_such() -> None:
    empty = report(systems={"persona": {}}, pictures={})
    assert [line[0][:2] for line in words.headline(empty)] == ["像不", "答得", "漏不"]
    assert "<svg" not in page.render(empty)


def test_a_table_has_columns_for_those_it_tells_of() -> None:
    asked = report()
    asked.systems["retrieval"] = {"facts.right": Figure(value=0.9, n=50, good=(0.8, None))}
    _, *tables = page.render(asked).split("所有的数")[1].split("<details")
    told = {table.split("<summary>")[1].split(" ")[0]: "mere retrieval" in table for table in tables}
    assert told.pop("知不知道")
    assert told
    assert not any(told.values())


@pytest.mark.parametrize(
    ("verdict", "told"), [("pass", "过了"), ("fail", "没过"), ("refuse", "拒绝"), ("undecided", "分不出高下")]
)
def test_the_gates_word_is_shown(verdict: Any, told: str) -> None:
    shown = page.render(report(gate=Verdict(verdict=verdict, reasons=("style <0.5",))))
    assert told in shown
    assert "style &lt;0.5" in shown


def moment(number: int) -> Moment:
    asked = Message(f"m{number}", "c", "private", number, "20002", "阿泽", [Segment("text", f"问题{number}<b>")])
    mine = Reply((f"我的{number}",), f"s{number}", "c", "private", number)
    return Moment(f"id{number}", (), (asked,), mine, "阿泽", {"20002": "阿泽"})


def game(path: Path, n: int = 6, seed: int = 3) -> blind.Game:
    moments = [moment(number) for number in range(n)]
    answers = [Reply((f"它的{number}",), f"s{number}", "c", "private", number) for number in range(n)]
    return blind.Game.of(moments, answers, path, seed)


async def test_friends_guess_over_a_real_page(tmp_path: Path) -> None:
    kept = tmp_path / "deep" / "blind.jsonl"
    played = game(kept)
    assert {card.mine for card in played.cards} == {True, False}
    runner = web.AppRunner(blind.application(played), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, blind.HOST, 0)
    await site.start()
    home = f"http://{blind.HOST}:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        assert "你的名字" in await (await session.get(home)).text()
        shown = await (await session.get(home, params={"who": "小鹿<"})).text()
        assert "问题" in shown
        assert "<b>" not in shown
        assert "小鹿<" not in shown
        token = re.search(r'name="token" value="([^"]+)"', shown)
        assert token is not None
        form = {"who": "小鹿<", "place": "0", "token": token[1], "guess": "me"}
        assert (await session.post(f"{home}/guess", data={**form, "token": "x"})).status == 400
        assert (await session.post(f"{home}/guess", data={**form, "guess": "?"})).status == 400
        for _ in range(2):  # a second click counts once
            assert (await session.post(f"{home}/guess", data=form)).status == 200
        for place in range(1, 6):
            await session.post(f"{home}/guess", data={**form, "place": str(place), "guess": "bot"})
        assert "猜完了" in await (await session.get(home, params={"who": "小鹿<"})).text()
    await runner.cleanup()
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 6
    again = game(kept)
    assert again.places == {"小鹿<": 6}
    figures = blind.figures(kept)
    shares = {name: (figure.value, figure.n) for name, figure in figures.items()}
    first = played.cards[0].mine
    bots = sum(not card.mine for card in played.cards)
    assert shares["persona taken for me"] == ((0 if first else 1) / bots, bots)
    assert figures["guessed right"].n == 6
    assert figures["guessed right"].sessions == 1
    low, high = figures["guessed right"].low, figures["guessed right"].high
    assert low is not None
    assert high is not None
    assert 0 <= low < (figures["guessed right"].value or 0) < high <= 1


def test_no_guess_is_no_number_and_no_reply_is_an_error(tmp_path: Path) -> None:
    assert all(figure.value is None for figure in blind.figures(tmp_path / "none").values())
    with pytest.raises(InputError, match="no reply to guess at"):
        game(tmp_path / "none", n=0)


def test_cards_hide_nothing_but_who(tmp_path: Path) -> None:
    played = game(tmp_path / "b", n=40)
    own = [card for card in played.cards if card.mine]
    assert 10 < len(own) < 30
    assert all(card.bubbles[0].startswith("我的" if card.mine else "它的") for card in played.cards)
    assert json.dumps([card.moment.id for card in played.cards]) == json.dumps(
        [card.moment.id for card in game(tmp_path / "b", n=40).cards]
    )
