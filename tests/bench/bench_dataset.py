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


def spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int, nargs="*", default=[300_000])
    for messages in parser.parse_args().messages:
        with tempfile.TemporaryDirectory() as folder:
            export, data = Path(folder) / "export.txt", Path(folder) / "data"
            write_export(export, messages)
            begun = spent()
            for command in (["import", str(export), "--me", "100001"], ["dataset"]):
                before = spent()
                line = [sys.executable, str(ROOT / "mybot.py"), *command, "--data", str(data)]
                subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                # Of all children so far: it can only grow, so the larger command is what it tells in the end.
                peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
                print(f"{messages:,}: {command[0]}: {spent() - before:.1f} CPU s, peak so far {peak:.0f} MiB")
            print(f"{messages:,}: {messages / (spent() - begun):,.0f} messages a CPU-second, both together")


if __name__ == "__main__":
    main()
