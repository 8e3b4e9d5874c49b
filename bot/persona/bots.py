"""Which accounts are nobody's: QQ's own bots, by number. Those of a chat are named by its owner."""

OFFICIAL = (
    (66600000, 66600000),
    (2854196301, 2854216399),
    (3328144510, 3328144510),
    (3889000000, 3889999999),
    (4010000000, 4019999999),
)
"""The account ranges that QQ's client gets from get_robot_uin_range, first and last."""


def is_official(account: str) -> bool:
    """Whether this is the number of one of QQ's own bots."""
    return len(account) in (8, 10) and account.isdecimal() and any(a <= int(account) <= b for a, b in OFFICIAL)
