"""The QQ text importer beside two regular-expression readers, in one run, on the same file.

    python tests/bench/bench_qq_txt.py [messages …]

The readers are written anew after the logic of the two that people use: ChatLab tries two patterns on
every line, cleans nicknames and looks at what kind of text it has; qq-chat-history splits the whole file
and takes headers apart with four patterns. Both got an hour of one digit, without which they'd lose a
tenth of the file, and a quicker way to read a time than theirs. The file has no traps (no quoted headers,
no odd clocks), so that all three must give the same Message objects: ids, segments, names, lines and all.

CPU seconds, best of three, taking turns, each in a process of its own that keeps all messages in memory.
The garbage collector is off for all three: nothing here makes a cycle, and a million live objects are
looked through again and again.
"""

import argparse
import gc
import hashlib
import multiprocessing
import re
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.persona.message import Message
from tests.bench.bench_import import write_export
from training.importers import qq_txt
from training.importers.qq_marks import segments_of
from training.importers.source import Notes, Zone, fingerprint, opened

CHINA = timezone(timedelta(hours=8))
CHAT = "百万群"
Head = tuple[int, str, str, str]
"""Line, time, name, account."""


def ours(path: Path) -> list[Message]:
    with opened(path) as source:
        return list(qq_txt.read(source, Notes(), Zone("+08:00")))


def chatlab(path: Path) -> list[Message]:
    """Line by line: is it the group's name, a header, a rule? What is none of them is said."""
    group = re.compile(r"^消息对象:(.+)$")
    header = re.compile(r"^(\d{4}-\d{2}-\d{2} \d{1,2}:\d{2}:\d{2}) (.+?)(?:\(([^)]+)\)|<([^>]+)>)?$")
    titles = re.compile(r"^(【[^】]*】\s*)+")
    names: dict[str, str] = {}
    members: dict[str, str] = {}

    def heads() -> Iterator[tuple[Head, list[str]]]:
        now: Head | None = None
        said: list[str] = []
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                line = line.rstrip("\n")
                if group.match(line):
                    continue
                if match := header.match(line):
                    if now is not None:
                        yield now, said
                    name = titles.sub("", match[2].strip()).strip()
                    account = match[3] or match[4] or name
                    if name == account and match[3]:
                        name = names.get(account, name)
                    else:
                        names[account] = name
                    now, said = (number, match[1], name, account), []
                elif now is not None and not line.startswith(("=====", "消息记录", "消息分组")):
                    said.append(line)
        if now is not None:
            yield now, said

    found: list[Message] = []
    make = maker(path)
    for head, said in heads():
        found.append(make(head, "\n".join(said).strip()))
        members[head[3]] = head[2]
    return found


def qq_chat_history(path: Path) -> list[Message]:
    """The whole file as a list of lines; a header's date, brackets and name are each found by a pattern."""
    date = re.compile(r"^(\d{4}-\d{2}-\d{2}\s+\d\d?:\d{2}:\d{2})\s+")
    brackets = re.compile(r"[(<]([^()<>]*?)[>)]$")

    def head(number: int, line: str) -> Head | None:
        match = date.search(line)
        if match is None:
            return None
        if accounts := brackets.findall(line):
            return number, match.group().strip(), date.sub("", brackets.sub("", line)).strip(), accounts[-1]
        name = date.sub("", line)
        return (number, match.group().strip(), name, name) if name else None

    found: list[Message] = []
    make = maker(path)
    now: Head | None = None
    said: deque[str] = deque()
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if following := head(number, line):
            if now is not None:
                found.append(make(now, "\n".join(said.popleft() for _ in range(len(said)))))
            now = following
            said.clear()
        elif line:
            said.append(line)
    if now is not None:
        found.append(make(now, "\n".join(said)))
    return found


def maker(path: Path) -> Callable[[Head, str], Message]:
    """What both need to end as Message objects equal to ours."""
    chat = f"qq:group:{CHAT}"
    identify = fingerprint(chat)

    def make(head: Head, text: str) -> Message:
        line, when, name, account = head
        day, _, clock = when.partition(" ")
        stamp = datetime.fromisoformat(f"{day} {clock:0>8}").replace(tzinfo=CHINA)
        seconds = int(stamp.timestamp())
        return Message(
            identify(seconds, account, text),
            chat,
            "group",
            seconds,
            account,
            name,
            segments_of(text),
            source=f"{path.name}:{line}",
            chat_name=CHAT,
        )

    return make


Reader = Callable[[Path], list[Message]]


def measure(reader: Reader, path: Path) -> tuple[float, int, str]:
    """CPU seconds, messages, and a hash over everything in them."""
    gc.disable()
    begun = time.process_time()
    said = reader(path)
    seconds = time.process_time() - begun
    print_of = hashlib.sha256()
    for message in said:
        print_of.update(message.to_json().encode())
    return seconds, len(said), print_of.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int, nargs="*", default=[300_000, 1_000_000])
    readers: tuple[Reader, ...] = (ours, chatlab, qq_chat_history)
    for messages in parser.parse_args().messages:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "export.txt"
            write_export(path, messages, quoted=0)
            best = dict.fromkeys(readers, float("inf"))
            prints: set[str] = set()
            for reader in readers * 3:
                with multiprocessing.Pool(1) as process:
                    seconds, count, print_of = process.apply(measure, (reader, path))
                assert count == messages
                best[reader] = min(best[reader], seconds)
                prints.add(print_of)
            assert len(prints) == 1, "not the same messages"
        shown = ", ".join(f"{reader.__name__} {seconds:.2f} s" for reader, seconds in best.items())
        ratios = " and ".join(f"{best[reader] / best[ours]:.1f}×" for reader in readers[1:])
        print(f"{messages:,}: {shown}: {ratios} as fast, equal outputs")


if __name__ == "__main__":
    main()
