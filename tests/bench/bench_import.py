"""Imports text exports of one and of two million messages, made on the fly, with the real command.

    python tests/bench/bench_import.py [messages …] [--parse-only]

Prints for each the time, messages per second and the peak memory of the command.
The export and what is made of it lie in a temporary folder.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_HEAD = "\ufeff消息记录（此消息记录为文本格式，不支持重新导入）\r\n\r\n{rule}\r\n消息分组:我的QQ群\r\n{rule}\r\n消息对象:{name}\r\n{rule}\r\n\r\n"
_WORDS = [
    "今天",
    "晚上",
    "一起",
    "吃饭",
    "吗",
    "我",
    "觉得",
    "还行",
    "哈哈哈",
    "周末",
    "去",
    "爬山",
    "带伞",
    "好的",
    "收到",
    "这个",
    "有点",
    "贵",
    "下次",
    "再说",
    "[图片]",
    "[表情]",
    "真的",
    "假的",
    "老板",
    "又",
    "加班",
]
_PEOPLE = [f"群友{n}({200000 + n * 37})" for n in range(40)] + ["我自己(100001)"] * 10


def write_export(path: Path, messages: int, quoted: float = 0.05) -> None:
    """A group's export as QQ writes it: CRLF between messages, LF inside, a few quoted headers."""
    draw = random.Random(1)
    clock = 1_500_000_000
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(_HEAD.format(rule="=" * 64, name="百万群"))
        for _ in range(messages):
            clock += draw.choice((0, 2, 5, 30, 90))
            now = time.gmtime(clock + 8 * 3600)
            stamp = f"{now.tm_year}-{now.tm_mon:02}-{now.tm_mday:02} {now.tm_hour}:{now.tm_min:02}:{now.tm_sec:02}"
            body = "".join(draw.choices(_WORDS, k=draw.randint(1, 9)))
            if draw.random() < quoted:
                body += f"\n2016-01-01 8:00:00 {draw.choice(_PEOPLE)}\n{body}"
            file.write(f"{stamp} {draw.choice(_PEOPLE)}\r\n{body}\r\n\r\n")


def parse_only(path: Path) -> tuple[int, float]:
    """The importer alone: messages in memory one by one, nothing written."""
    sys.path.insert(0, str(ROOT))
    from training.importers import importer_for
    from training.importers.source import Notes, Zone, opened

    started = time.perf_counter()
    with opened(path) as source:
        _, importer = importer_for(source)
        count = sum(1 for _ in importer.read(source, Notes(), Zone("+08:00")))
    return count, time.perf_counter() - started


def import_command(path: Path, data: Path) -> tuple[int, float, float]:
    """`mybot import` in a process of its own: messages, seconds and its peak memory in MiB."""
    command = [sys.executable, str(ROOT / "mybot.py"), "import", str(path), "--me", "100001", "--data", str(data)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    seconds = time.perf_counter() - started
    with (data / "messages.jsonl").open("rb") as file:
        return sum(1 for _ in file), seconds, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int, nargs="*", default=[1_000_000, 2_000_000])
    parser.add_argument("--parse-only", action="store_true", help="the importer alone, in this process")
    knobs = parser.parse_args()
    for messages in knobs.messages:
        with tempfile.TemporaryDirectory() as folder:
            export = Path(folder) / "export.txt"
            write_export(export, messages)
            size = export.stat().st_size / 2**20
            if knobs.parse_only:
                count, seconds = parse_only(export)
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            else:
                count, seconds, peak = import_command(export, Path(folder) / "data")
        rate = f"{count / seconds:,.0f}/s"
        print(f"{count:,} messages of {size:,.0f} MiB in {seconds:.1f} s: {rate}, peak {peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
