"""Ways to reach the owner that are not QQ: a webhook, and mail.

Knows how each is spoken to and how it fails. Doesn't know when there is something to tell. What a
fault says never has the address in it: it may hold a secret.
"""

import asyncio
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Literal, Protocol
from urllib.parse import urlsplit

import aiohttp

from config.errors import MyBotError, SettingsError
from config.settings import Bot

PATIENCE = 10.0
"""Seconds one attempt may take."""
TITLE = "mybot"


class Undelivered(MyBotError):
    """The other side didn't take it."""


class Way(Protocol):
    """A way to the owner."""

    @property
    def name(self) -> str:
        """The knob that names it."""
        ...

    async def send(self, text: str) -> None:
        """Deliver a text. Raises Undelivered."""
        ...

    async def check(self) -> str:
        """What was found there, without telling anything. Raises Undelivered."""
        ...


@dataclass(slots=True, frozen=True)
class Webhook:
    """A POST: of JSON {"title", "text"}, or of the text alone, as ntfy takes it."""

    url: str
    style: Literal["json", "text"] = "json"
    name: str = "alert_url"

    async def send(self, text: str) -> None:
        body = (
            {"json": {"title": TITLE, "text": text}}
            if self.style == "json"
            else {"data": text.encode(), "headers": {"Title": TITLE, "Content-Type": "text/plain; charset=utf-8"}}
        )
        try:
            async with _session() as session, session.post(self.url, **body) as answer:  # pyright: ignore[reportArgumentType]
                status = answer.status
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            raise self._undelivered(f"can't be reached ({type(error).__name__})") from None
        if status >= 300:
            raise self._undelivered(f"answered {status}")

    async def check(self) -> str:
        """Whether somebody listens there. (Only a real alert would show that it arrives.)"""
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(parts.hostname, port), PATIENCE)
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.TimeoutError) as error:
            raise self._undelivered(f"can't be reached ({type(error).__name__})") from None
        return f"{parts.hostname} listens"

    def _undelivered(self, what: str) -> Undelivered:
        return Undelivered(f"[bot] alert_url: its server {what}", hint="is the address right, and the server up?")


@dataclass(slots=True, frozen=True)
class Mail:
    """Mail over SMTP."""

    to: str
    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    user: str
    password: str
    name: str = "alert_mail"

    async def send(self, text: str) -> None:
        message = EmailMessage()
        message["Subject"] = text.splitlines()[0][:78]
        message["From"] = self.user if "@" in self.user else self.to
        message["To"] = self.to
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain="mybot.invalid")
        message.set_content(text)
        await asyncio.to_thread(self._send, message)

    async def check(self) -> str:
        """Log in, and send nothing."""
        await asyncio.to_thread(self._send, None)
        return f"{self.host} lets us in"

    def _send(self, message: EmailMessage | None) -> None:
        try:
            with self._server() as server:
                if self.user:
                    server.login(self.user, self.password)
                if message is not None:
                    server.send_message(message)
        except (smtplib.SMTPException, OSError) as error:
            code = getattr(error, "smtp_code", "")
            raise Undelivered(
                f"[bot] alert_mail: {self.host} refused it ({type(error).__name__} {code}".rstrip() + ")",
                hint="look at smtp_host, smtp_port, smtp_security, smtp_user and MYBOT_BOT_SMTP_PASSWORD",
            ) from None

    @contextmanager
    def _server(self) -> Iterator[smtplib.SMTP]:
        if self.security == "tls":
            with smtplib.SMTP_SSL(
                self.host, self.port, timeout=PATIENCE, context=ssl.create_default_context()
            ) as server:
                yield server
            return
        with smtplib.SMTP(self.host, self.port, timeout=PATIENCE) as server:
            if self.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            yield server


def ways(settings: Bot) -> list[Way]:
    """The ways that the settings name. SettingsError where one can't work."""
    found: list[Way] = []
    if settings.alert_url and (url := settings.alert_url.get_secret_value()):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError("[bot] alert_url is no web address", hint="such as https://ntfy.sh/a-topic-of-yours")
        found.append(Webhook(url, settings.alert_style))
    if settings.alert_mail:
        if not settings.smtp_host:
            raise SettingsError(
                "[bot] alert_mail needs a server that takes the mail", hint="set [bot] smtp_host, such as smtp.qq.com"
            )
        password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
        found.append(
            Mail(settings.alert_mail, settings.smtp_host, settings.smtp_port, settings.smtp_security, settings.smtp_user, password)
        )  # fmt: skip
    return found


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE), trust_env=True)
