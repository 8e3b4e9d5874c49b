"""The rows of the 2023 notebook, for those who have tools that read them.

One JSON object a line: {"text": "### Human: … ### Assistant: …"}. Only train rows; what the
other side said since my last reply is the Human's part, one bubble a line.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from bot.persona.prompt import Turn, escape


def notebook_rows(train: Path) -> Iterator[str]:
    """The lines of a train.json, line ends included."""
    with train.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            turns = [Turn.from_row(turn) for turn in json.loads(line)["turns"]]
            for asked, answered in pairwise(turns):
                mine = [bubble.text for bubble in answered.bubbles if bubble.target]
                theirs = [bubble.text for bubble in asked.bubbles if not bubble.mark]
                if answered.role == "assistant" and mine and theirs:
                    human, assistant = "\n".join(map(escape, theirs)), "\n".join(map(escape, mine))
                    yield (
                        json.dumps({"text": f"### Human: {human} ### Assistant: {assistant}"}, ensure_ascii=False)
                        + "\n"
                    )
