"""The command `mybot`: a table from a word to a module, and nothing heavy.

Knows the words, their order and the exit codes; what a word does stands in its module's `main`.
Exit codes: 0 done, 1 an error in two lines, 2 wrong usage, 130 stopped by Ctrl-C, 143 by SIGTERM.
"""

import importlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent
# A stray package named `config` in site-packages would shadow ours: the checkout comes first.
sys.path.insert(0, str(ROOT))

COMMANDS: dict[str, tuple[str, str, str]] = {
    "import": ("training.importing", "Import", "chat exports → data/messages.jsonl"),
    "dataset": ("training.dataset", "Dataset", "messages → data/train.jsonl, data/heldout.jsonl"),
    "remember": ("training.remember", "Remember", "messages → data/memory.db, what the bot remembers"),
    "facts": ("training.facts", "Facts", "what you confirm about yourself → data/me.toml"),
    "summaries": ("bot.summarising", "Summaries", "a short summary of each chat, for the bot to be reminded of"),
    "pull": ("training.pull", "Pull", "fetch a base model, for training without network"),
    "plan": ("training.plan", "Train", "will it fit on this card, and what to change if not"),
    "train": ("training.sft", "Train", "dataset + base model → runs/<name>/adapter"),
    "merge": ("training.merge", "Merge", "adapter + base model → personas/<name>"),
    "export": ("training.export", "Export", "the dataset or a persona for other tools (LLaMA-Factory, llama.cpp)"),
    "score": ("training.score", "Score", "a persona's held-out loss and leaks"),
    "evaluate": ("training.evaluate.command", "Evaluate", "is it me, and does it leak: report.json"),
    "audit": ("training.audit", "Audit", "does training learn by heart: secrets planted in a copy"),
    "compare": ("training.evaluate.compare", "Compare", "two personas side by side, and what the gate would say"),
    "retrain": ("training.retrain", "Retrain", "all of the above, for cron; serves it if it is no worse"),
    "chat": ("bot.console", "Chat", "talk with a persona in the terminal"),
    "web": ("bot.web", "Web", "talk with a persona in the browser"),
    "serve": ("bot.engine.server", "Engine", "a persona behind the OpenAI protocol"),
    "run": ("bot.app", "Bot", "answer on QQ"),
    "shadow": ("training.shadow", "Shadow", "what the bot would have said, against what you said"),
    "demo": ("training.demo", "Demo", "the whole way on a bundled sample, then a chat"),
    "doctor": ("bot.doctor", "Doctor", "what is wrong with this set-up"),
}


def usage() -> str:
    """The help text: one line a command."""
    rows = "\n".join(f"  mybot {word:9} {line}" for word, (_, _, line) in COMMANDS.items())
    return (
        "mybot: fine-tune a 'me' on your chat records, and let it answer for you\n\n"
        f"{rows}\n\n"
        "  mybot COMMAND --help   every flag of a command; defaults live in config/mybot.toml\n"
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    command, *args = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if command in ("help", "-h", "--help"):
        sys.stdout.write(usage())
        return 0
    if command not in COMMANDS:
        sys.stderr.write(f"error: no command {command!r}\n hint: one of {', '.join(COMMANDS)}\n")
        return 2

    # Threads of torch that spin while they wait make a CPU that is shared ten times slower; OpenMP
    # reads this once, when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    from config import settings
    from config.errors import MyBotError

    stopped = _stopped_by_term()
    module, table, _ = COMMANDS[command]
    try:
        knobs = settings.parse(getattr(settings, table), args, command)
        importlib.import_module(module).main(knobs)
    except MyBotError as error:
        sys.stderr.write(f"{error.lines()}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return stopped[0]
    return 0


def _stopped_by_term() -> list[int]:
    """SIGTERM ends a command as Ctrl-C does, nothing left half-done; the list holds the code of a stopped one."""
    code = [130]

    def end(number: int, frame: FrameType | None) -> None:
        # What shells know an ended process by.
        code[0] = 128 + number
        ctrl_c = signal.getsignal(signal.SIGINT)
        if callable(ctrl_c) and ctrl_c is not signal.default_int_handler:
            # An event loop's own cancels all that runs in it; an exit would end one task, and the others cry.
            ctrl_c(signal.SIGINT, frame)
        else:
            sys.exit(code[0])

    signal.signal(signal.SIGTERM, end)
    return code


if __name__ == "__main__":
    sys.exit(main())
