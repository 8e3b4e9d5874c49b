"""The owner is told: at a bounded rate on QQ, and by a real webhook or mail server when QQ is away."""

import asyncio
import base64
import email
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email import policy
from typing import Any

import pytest
from aiohttp import web

from bot import alerts as news
from bot.alert_ways import Mail, Undelivered, ways
from bot.alerts import Alerts
from bot.port import Port, Unsent
from bot.words import DISCONNECTED, chosen
from config.errors import SettingsError
from config.settings import Bot

GRACE = 0.05


class OwnersPort(Port):
    """Where the owner reads, while QQ is there."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.there = True
        self.ahead = 0.0

    async def send(
        self, chat: str, text: str, quote: str | None, at: str | None = None, faces: Sequence[str] = ()
    ) -> str:
        if not self.there:
            raise Unsent("the QQ side is not connected")
        self.sent.append((chat, text))
        return "1"

    def now(self) -> float:
        return 1000.0 + self.ahead


class Hook:
    """A web server that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.refusals = 0

    async def hear(self, request: web.Request) -> web.Response:
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=503)
        told = await request.json() if request.content_type == "application/json" else {"text": await request.text()}
        self.heard.append((told.get("title") or request.headers["Title"], told["text"]))
        return web.Response(text="ok")

    async def until(self, number: int) -> list[str]:
        for _ in range(400):
            if len(self.heard) >= number:
                return [text for _, text in self.heard]
            await asyncio.sleep(0.01)
        raise AssertionError(f"wanted {number}, heard {self.heard}")


@asynccontextmanager
async def hooked(**knobs: Any) -> AsyncIterator[tuple[Hook, Alerts, OwnersPort]]:
    hook, port = Hook(), OwnersPort()
    app = web.Application()
    app.router.add_post("/topic", hook.hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/topic"
    settings = Bot(**{"superusers": ["10001"], "alert_url": url, "alert_after": GRACE, **knobs})
    language = chosen(settings.language, ())
    alerts = Alerts(
        settings, port, why=lambda language: f"it refused the token ({language})", language=lambda: language
    )
    try:
        yield hook, alerts, port
    finally:
        await alerts.close()
        await runner.cleanup()


async def test_news_go_to_the_owner_in_private_and_not_twice() -> None:
    async with hooked() as (hook, alerts, port):
        assert await alerts.tell("capped qq:group:1", "到上限了")
        assert not await alerts.tell("capped qq:group:1", "到上限了")
        assert await alerts.tell("capped qq:group:2", "到上限了")
        assert port.sent == [("qq:private:10001", "到上限了")] * 2
        port.ahead = news.AGAIN + 1
        assert await alerts.tell("capped qq:group:1", "到上限了")
        assert not hook.heard


async def test_an_hour_has_a_bound() -> None:
    async with hooked() as (_, alerts, port):
        told = [await alerts.tell(f"failed {n}", "没写出来") for n in range(20)]
        assert told == [True] * news.HOURLY + [False] * (20 - news.HOURLY)
        port.ahead = 3601.0
        assert await alerts.tell("failed 30", "没写出来")


async def test_what_qq_does_not_take_goes_the_other_way() -> None:
    async with hooked() as (hook, alerts, port):
        port.there = False
        assert await alerts.tell("engine me", "模型没起来")
        assert await hook.until(1) == ["模型没起来"]
        assert hook.heard[0][0] == "mybot"


async def test_an_account_that_is_away_is_told_once_with_the_cause_and_its_return_too() -> None:
    async with hooked(alert_style="text") as (hook, alerts, _):
        alerts.away("10000", DISCONNECTED)
        alerts.away("10000", DISCONNECTED)
        (text,) = await hook.until(1)
        assert text == "账号 10000 不在线，现在谁也没法回。it refused the token (zh)"
        assert hook.heard[0][0] == "mybot"
        await asyncio.sleep(3 * GRACE)
        assert len(hook.heard) == 1
        alerts.back("10000")
        assert (await hook.until(2))[1] == "账号 10000 回来了"


async def test_who_is_back_within_the_grace_is_no_news() -> None:
    async with hooked(alert_after=0.2) as (hook, alerts, _):
        for _ in range(3):
            alerts.disconnected("10000")
            await asyncio.sleep(0.05)
            alerts.back("10000")
        await asyncio.sleep(0.4)
        assert not hook.heard


async def test_nobody_who_ever_connects_is_news_and_the_first_one_ends_it() -> None:
    async with hooked() as (hook, alerts, _):
        alerts.away(news.NOBODY)
        assert "QQ 不在线" in (await hook.until(1))[0]
        alerts.back("10000")
        assert "10000" in (await hook.until(2))[1]
    async with hooked() as (hook, alerts, _):
        alerts.away(news.NOBODY)
        alerts.back("10000")
        await asyncio.sleep(3 * GRACE)
        assert not hook.heard


async def test_an_account_that_the_qq_side_has_lost_is_news_though_the_link_stands() -> None:
    async with hooked() as (hook, alerts, _):
        alerts.beat("10001", 30.0)
        alerts.beat("10001", 30.0, online=False)
        assert "10001" in (await hook.until(1))[0]
        alerts.beat("10001", 30.0)
        assert "回来了" in (await hook.until(2))[1]


async def test_a_heartbeat_that_stops_is_news_within_two_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hooked(alert_after=60) as (hook, alerts, _):
        loop = asyncio.get_running_loop()
        alerts.beat("10000", 30.0)
        assert 60 < alerts._beats["10000"].when() - loop.time() < 110
        alerts.beat("10000", 300.0)
        assert alerts._beats["10000"].when() - loop.time() > 300
        alerts.disconnected("10000")
        assert not alerts._beats
        monkeypatch.setattr(news, "MARGIN", 0.01)
        alerts.beat("10001", 0.01)
        assert "10001" in (await hook.until(1))[0]


async def test_an_alert_is_tried_again_until_somebody_takes_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(news, "PAUSES", (0.02,))
    async with hooked() as (hook, alerts, _):
        hook.refusals = 2
        alerts.away("10000")
        assert len(await hook.until(1)) == 1
        assert [record.message for record in caplog.records] == [
            "the owner was not told: [bot] alert_url: its server answered 503"
        ] * 2


async def test_without_a_way_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        alerts = Alerts(Bot(superusers=["10001"], alert_after=0), OwnersPort())
        alerts.away("10000")
        await asyncio.sleep(0.05)
        await alerts.close()
    assert len(caplog.records) == 1
    assert "nobody tells you" in caplog.text


FINE = {"failures": 0, "trouble": "", "crashes": 0, "fell": "", "cut": [], "refused": []}


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (
            {"failures": 2, "trouble": "it ended"},
            {"failures": 3, "trouble": "the engine ended (exit code -9)"},
            "模型 me 连续 3 次没起来：模型进程退出了（退出码 -9）",
        ),
        (
            {"failures": 5, "crashes": 2},
            {"crashes": 3, "fell": "the engine ended (exit code 1)"},
            "模型 me 十分钟里崩了 3 次，又起来了：模型进程退出了（退出码 1）",
        ),
        (
            {"crashes": 2, "fell": "it ended"},
            {"cut": ["qq:group:7"]},
            "群 7 里有句话一问模型 me 就崩：到它为止说过的一小时内不再给模型看，之后说的照常回；换了版本或 /reload 就再试",
        ),
        (
            {},
            {"refused": ["qq:group:7"]},
            "群 7 里的话一再把模型 me 问崩，一小时内那里不回了；换了版本或 /reload 就再试",
        ),
    ],
)
async def test_what_troubles_the_engine_is_news_once(
    monkeypatch: pytest.MonkeyPatch, before: dict[str, Any], after: dict[str, Any], line: str
) -> None:
    monkeypatch.setattr(news, "LOOKS", 0.01)
    told: dict[str, dict[str, Any]] = {"me": {**FINE, **before}}
    async with hooked() as (_, alerts, port):
        watching = asyncio.create_task(alerts.watch(lambda: told))
        await asyncio.sleep(0.05)
        assert not port.sent
        told["me"] = {**FINE, **after}
        await asyncio.sleep(0.1)
        if "cut" in after or "refused" in after:
            # It holds for longer than a piece of news is kept from being told again.
            port.ahead = news.AGAIN + 1
            await asyncio.sleep(0.1)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert port.sent == [("qq:private:10001", line)]


class MailServer:
    """As much SMTP as a sender needs."""

    def __init__(self, password: str = "") -> None:
        self.password = password
        self.mails: list[Any] = []
        self.to: list[str] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")

        say("220 here")
        while line := (await reader.readline()).decode().strip():
            word = line.split()[0].upper()
            if word == "EHLO":
                say("250-here\r\n250 AUTH PLAIN" if self.password else "250 here")
            elif word == "AUTH":
                given = base64.b64decode(line.split()[2]).decode().split("\0")[2]
                say("235 ok" if given == self.password else "535 no")
            elif word == "RCPT":
                self.to.append(line)
                say("250 ok")
            elif word == "DATA":
                say("354 go on")
                content = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
                self.mails.append(email.message_from_bytes(content, policy=policy.default))
                say("250 ok")
            elif word == "QUIT":
                say("221 bye")
                break
            else:
                say("250 ok")
        writer.close()


@asynccontextmanager
async def mailing(password: str = "") -> AsyncIterator[tuple[MailServer, int]]:
    here = MailServer(password)
    server = await asyncio.start_server(here.talk, "127.0.0.1", 0)
    async with server:
        yield here, server.sockets[0].getsockname()[1]


async def test_mail_arrives_in_chinese_with_a_login() -> None:
    async with mailing("geheim") as (here, port):
        knobs = {"alert_mail": "me@example.com", "smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none"}
        settings = Bot(**knobs, smtp_user="me@example.com", smtp_password="geheim", alert_after=GRACE)  # pyright: ignore[reportArgumentType]
        alerts = Alerts(settings, OwnersPort())
        alerts.away("10000", DISCONNECTED)
        for _ in range(300):
            await asyncio.sleep(0.01)
            if here.mails:
                break
        await alerts.close()
        (mail,) = here.mails
        assert mail["To"] == "me@example.com"
        assert "账号 10000 不在线" in mail["Subject"]
        assert "连接断了" in mail.get_content()
        assert "<me@example.com>" in here.to[0]
        (way,) = ways(settings)
        assert await way.check() == "127.0.0.1 lets us in"
        assert len(here.mails) == 1, "a check sends nothing"
        wrong = Mail("me@example.com", "127.0.0.1", port, "none", "me@example.com", "falsch")
        with pytest.raises(Undelivered, match="SMTPAuthenticationError 535") as error:
            await wrong.check()
        assert "falsch" not in str(error.value) + error.value.hint


async def test_what_cannot_work_is_said_without_the_secret() -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    for knobs in ({"alert_url": f"http://127.0.0.1:{port}/s3cret"}, {"alert_mail": "a@b.c", "smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "tls"}):  # fmt: skip
        (way,) = ways(Bot(**knobs))  # pyright: ignore[reportArgumentType]
        for attempt in (way.check(), way.send("x")):
            with pytest.raises(Undelivered) as error:
                await attempt
            assert "s3cret" not in str(error.value) + error.value.hint


@pytest.mark.parametrize("knobs", [{"alert_url": "ntfy.sh/x"}, {"alert_url": "ftp://x/y"}, {"alert_mail": "a@b.c"}])
def test_settings_that_cannot_work_are_an_error(knobs: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as error:
        ways(Bot(**knobs))
    assert error.value.hint


async def test_an_owner_who_reads_english_is_told_in_english() -> None:
    async with hooked(language="en") as (hook, alerts, _):
        alerts.disconnected("10000")
        await hook.until(1)
        alerts.back("10000")
        away, back = await hook.until(2)
    assert "Account 10000 is offline, nobody can be answered now. it refused the token" in away
    assert "Account 10000 is back" in back
