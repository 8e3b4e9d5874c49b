"""The QQ text importer beside two plain regular-expression readers, in one run, on the same file.

    python tests/bench/bench_qq_txt.py [messages …]

The readers are written anew after the two usual ways: a header pattern tried on every line, and one
pattern over the whole file. Both take a file without traps (no quoted headers, no odd clocks), so that
all three must give the same (time, sender, text). Everything ends as Message objects in memory, theirs
without ids and media; CPU seconds, best of three, taking turns.
"""

import argparse
import gc
import re
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.persona.message import Message, Segment
from tests.bench.bench_import import write_export
from training.importers import qq_txt
from training.importers.source import Notes, Zone, opened

CHINA = timezone(timedelta(hours=8))


def by_line(path: Path) -> list[Message]:
    """A header pattern on every line; what isn't one belongs to the message before."""
    header = re.compile(r"^(\d{4}-\d{2}-\d{2} \d{1,2}:\d{2}:\d{2}) (.*?)\((\d+)\)\s*$")
    found: list[Message] = []
    body: list[str] = []
    now: tuple[int, str, str] | None = None
    with path.open(encoding="utf-8-sig") as file:
        for line in file:
            match = header.match(line)
            if match is None:
                body.append(line)
                continue
            if now is not None:
                found.append(message(*now, "".join(body)))
            stamp = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
            now, body = (int(stamp.timestamp()), match[2], match[3]), []
    if now is not None:
        found.append(message(*now, "".join(body)))
    return found


def by_file(path: Path) -> list[Message]:
    """One pattern over the whole file: a header, and what stands before the next."""
    head = r"^(\d{4}-\d{2}-\d{2} \d{1,2}:\d{2}:\d{2}) ([^\n]*?)\((\d+)\)\s*?\n"
    pattern = re.compile(rf"{head}(.*?)(?={head}|\Z)", re.MULTILINE | re.DOTALL)
    found: list[Message] = []
    for match in pattern.finditer(path.read_text(encoding="utf-8-sig")):
        stamp = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
        found.append(message(int(stamp.timestamp()), match[2], match[3], match[4]))
    return found


def message(time: int, name: str, sender: str, text: str) -> Message:
    return Message("", "qq:group:x", "group", time, sender, name, [Segment("text", text.strip())])


def ours(path: Path) -> list[Message]:
    with opened(path) as source:
        return list(qq_txt.read(source, Notes(), Zone("+08:00")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int, nargs="*", default=[300_000, 1_000_000])
    readers: tuple[Callable[[Path], list[Message]], ...] = (ours, by_line, by_file)
    for messages in parser.parse_args().messages:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "export.txt"
            write_export(path, messages, quoted=0)
            best = dict.fromkeys(readers, float("inf"))
            results: list[int] = []
            for _ in range(3):
                for reader in readers:
                    gc.collect()
                    begun = time.process_time()
                    said = reader(path)
                    best[reader] = min(best[reader], time.process_time() - begun)
                    results.append(hash(tuple((m.time, m.sender, m.text.strip()) for m in said)))
                    assert len(said) == messages
                    del said
            assert len(set(results)) == 1, "not the same messages"
        shown = ", ".join(f"{reader.__name__} {seconds:.2f} s" for reader, seconds in best.items())
        ratios = " and ".join(f"{best[reader] / best[ours]:.1f}×" for reader in (by_line, by_file))
        print(f"{messages:,}: {shown}: {ratios} as fast, equal outputs")


if __name__ == "__main__":
    main()
