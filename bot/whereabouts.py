"""Whether the [bot] table says where QQ is, and says it safely. Knows addresses; opens none."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from config.errors import SettingsError
from config.settings import Bot

ONEBOT = "nonebot.adapters.onebot.v11"


def check(knobs: Bot) -> None:
    """Raise SettingsError where the table can't work."""
    if ONEBOT in knobs.adapters and not knobs.onebot_v11_ws_urls and not knobs.port:
        raise SettingsError(
            "the bot does not know where QQ is",
            hint="in NapCat turn on a WebSocket 服务端 and put its address into [bot] onebot_v11_ws_urls, "
            "or set [bot] port and let a WebSocket 客户端 dial ws://127.0.0.1:<port>/onebot/v11/ws",
        )
    for url in knobs.onebot_v11_ws_urls:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise SettingsError(
                f"[bot] onebot_v11_ws_urls: {url!r} is no WebSocket address", hint="such as ws://127.0.0.1:3001"
            )
    if not (host_of(knobs).is_loopback or knobs.onebot_access_token):
        raise SettingsError(
            f"listening on {knobs.host} without a token lets anybody command the bot",
            hint="set MYBOT_BOT_ONEBOT_ACCESS_TOKEN in .env, or listen on 127.0.0.1",
        )


def host_of(knobs: Bot) -> IPv4Address | IPv6Address:
    """The address to listen on."""
    try:
        return ip_address("127.0.0.1" if knobs.host == "localhost" else knobs.host)
    except ValueError:
        raise SettingsError(f"[bot] host = {knobs.host!r} is no IP address", hint="127.0.0.1 or 0.0.0.0") from None
