"""Whether our accounts are there, as the QQ side tells it: heartbeats and its word that one is offline.

Knows what NapCat, LLBot and go-cqhttp say of it. Doesn't know who is told (bot/alerts.py).
"""

from nonebot.adapters.onebot.v11 import Event, HeartbeatMetaEvent

from bot.alerts import Alerts
from bot.words import OFFLINE

MILLISECONDS = 1000.0


def heed(event: Event, alerts: Alerts) -> None:
    """Take what an event says of its account."""
    account = str(event.self_id)
    if isinstance(event, HeartbeatMetaEvent):
        alerts.beat(account, event.interval / MILLISECONDS, online=event.status.online)
    elif getattr(event, "notice_type", "") == "bot_offline":
        alerts.away(account, OFFLINE)
