"""Invented groups in which it is known what each of my replies answers: is that in front of me when I learn it?

    python tests/bench/bench_groups.py [messages]

Runs `mybot dataset` on them and counts, over my replies: used as a target, the answered message in the
context, and marked as the one answered where the record has the link.
"""

import argparse
import contextlib
import io
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.persona.message import Message, Segment
from config.settings import Dataset
from training import dataset


def group(number: int, messages: int) -> tuple[list[Message], int, int]:
    """A group's messages, my replies among them, and how many of those say what they answer.

    Twelve people; a reply comes after a handful of others' messages, up to thirty; there are silences.
    """
    draw = random.Random(number)
    made: list[Message] = []
    waiting: list[tuple[int, int, str]] = []
    clock, asked, linked, replies = 1_600_000_000, 0, 0, 0
    chat = f"qq:group:{90000 + number}"

    def say(sender: str, text: str, reply_to: str | None = None) -> str:
        own = f"{chat}-{len(made)}"
        segments = [Segment("text", text)]
        made.append(Message(own, chat, "group", clock, sender, f"人{sender}", segments, sender == "1", reply_to))
        return own

    while len(made) < messages:
        clock += draw.choice((2, 5, 9, 20, 60))
        if not waiting and draw.random() < 0.02:
            clock += draw.randint(2000, 40000)
        if waiting and waiting[0][0] <= len(made):
            _, question, own = waiting.pop(0)
            link = own if draw.random() < 0.5 else None
            linked += link is not None
            replies += 1
            say("1", f"答{number}x{question}x", link)
        elif draw.random() < 0.15:
            asked += 1
            own = say(str(draw.randint(2, 12)), f"问{number}x{asked}x")
            waiting.append((len(made) + min(30, int(draw.expovariate(0.2))), asked, own))
            waiting.sort()
        else:
            say(str(draw.randint(2, 12)), f"闲聊{draw.randint(0, 999)}")
    return made, replies, linked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int, nargs="?", default=20_000)
    each = parser.parse_args().messages // 5
    made = [group(number, each) for number in range(5)]
    links = {m.text: m.reply_to is not None for messages, _, _ in made for m in messages if m.mine}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        rows = "".join(m.to_json() + "\n" for messages, _, _ in made for m in messages)
        (data / "messages.jsonl").write_text(rows, encoding="utf-8")
        begun = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            dataset.main(Dataset(data=data, embargo_days=0))
        spent = time.process_time() - begun
        used = in_context = marked = markable = 0
        for name in ("train", "heldout"):
            for row in dataset.read_rows(data / f"{name}.jsonl"):
                seen = ""
                for turn in dataset.turns_of(row):
                    for bubble in turn.bubbles:
                        if bubble.target:
                            used += 1
                            question = bubble.text.replace("答", "问")
                            in_context += question in seen
                            if links[bubble.text]:
                                markable += 1
                                # Marked, or the line right above, which needs no mark.
                                marked += question in seen[-120:]
                        seen += f"{bubble.mark}{bubble.quote}{bubble.text}\n"
    replies = sum(replies for _, replies, _ in made)
    print(f"{replies:,} replies of mine: {used / replies:.2%} used")
    print(f"the answered message in the context: {in_context / used:.2%}")
    print(f"marked where the record has the link ({markable:,}): {marked / max(1, markable):.2%}")
    print(f"{each * 5 / spent:,.0f} messages a CPU-second")


if __name__ == "__main__":
    main()
