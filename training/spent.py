"""What a training run takes: the most memory that it held, of this process and of its card.

The seconds are counted by Track, over all starts of a run. Knows the operating system's own peak, which sees
what a look now and then would miss; where that is of more than the run, it is told all the same.
"""

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path

GIB = 2**30
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def begin() -> None:
    """From here on the peaks are this run's, where the system lets them be set back (Linux, and every card)."""
    import torch

    with contextlib.suppress(OSError):
        _RESET.write_text("5", encoding="ascii")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peaks() -> dict[str, float]:
    """GiB by what holds it: `memory` of the process; with a card `card` in tensors, and `card_reserved` of its pool.

    Of several processes those of this one alone.
    """
    import torch

    found = {"memory": resident() / GIB}
    if torch.cuda.is_available():
        found["card"] = torch.cuda.max_memory_allocated() / GIB
        found["card_reserved"] = torch.cuda.max_memory_reserved() / GIB
    return found


def highest(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """The larger of two peaks: a run that was gone on with has one from each start."""
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in (*one, *other)}


def resident() -> int:
    """Bytes that this process held at most."""
    if sys.platform == "linux":
        told = _STATUS.read_text(encoding="utf-8", errors="replace").splitlines()
        return int(next(line for line in told if line.startswith("VmHWM")).split()[1]) << 10
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
