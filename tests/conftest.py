"""What all tests share: the property tests draw the same examples each time; `make fuzz` draws new ones."""

import os
import signal

import pytest
from hypothesis import settings
from nonebug import NONEBOT_INIT_KWARGS

# As in mybot.py, before any test loads torch.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Two test processes share the cores, and the models are tiny.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("new", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("MYBOT_HYPOTHESIS", "same"))

# Started in the background of a shell, we would hand down an ignored Ctrl-C to the commands we test it on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """NoneBot on our own driver, with no settings of this machine."""
    config.stash[NONEBOT_INIT_KWARGS] = {"driver": "bot.driver:Forward", "_env_file": None}
