"""From a QQ text export to training rows, privacy on: CPU seconds and peak memory of both commands.

python tests/bench/bench_dataset.py [messages …]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_import import ROOT, write_export


def spent(*command: str) -> float:
    """CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = [sys.executable, str(ROOT / "mybot.py"), *command]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int, nargs="*", default=[300_000])
    for messages in parser.parse_args().messages:
        with tempfile.TemporaryDirectory() as folder:
            export, data = Path(folder) / "export.txt", Path(folder) / "data"
            write_export(export, messages)
            seconds: list[float] = []
            for command in (
                ["import", str(export), "--me", "100001"],
                ["dataset"],
                ["dataset", "--pseudonyms"],
            ):
                seconds.append(spent(*command, "--data", str(data)))
                # Of all children so far: it can only grow, so the larger command is what it tells in the end.
                peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
                name = "dataset with pseudonyms" if "--pseudonyms" in command else command[0]
                print(f"{messages:,}: {name}: {seconds[-1]:.1f} CPU s, peak so far {peak:.0f} MiB", flush=True)
            together = messages / (seconds[0] + seconds[1])
            print(f"{messages:,}: {together:,.0f} messages a CPU-second, import and dataset together")


if __name__ == "__main__":
    main()
