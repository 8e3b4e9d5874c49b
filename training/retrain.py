"""`mybot retrain`: new exports → a sealed version that serves, if it is no worse; for cron.

    import ─▶ remember ─▶ dataset ─▶ train ─▶ merge ─▶ compare with the serving one ─▶ gate ─▶ current

Each stage is the command itself in a process of its own; one whose inputs did not change since it
last succeeded is skipped (data/retrain.json holds the hash of what each was fed). Two at once: the
second ends at once. What the stages say goes to standard error, the table at the end to standard
output; the exit code is 0 only if the new persona serves.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console

from bot.persona.manifest import MANIFEST, SCORES, Persona, make_current, version_folder, write_atomically
from config.errors import InputError, MyBotError, TrainingError
from config.settings import ROOT, Bot, Dataset, Gate, Import, Merge, Retrain, Train, load
from training import recipe
from training.report import show
from training.sft import RUN, sha256
from training.trained import TRAINED

QUICK: dict[str, float] = {"max_minutes": 15, "eval_windows": 100}
"""Knobs of training for a first persona in about 20 minutes; the merge and the gate take the others."""

console = Console(stderr=True, highlight=False)


class Refused(MyBotError):
    """The gate let the new persona not pass; the old one serves on."""


def main(knobs: Retrain) -> None:
    if not knobs.exports and not (knobs.data / "messages.jsonl").is_file():
        raise InputError(f"{knobs.data} holds no records", hint="mybot retrain YOUR_EXPORT --me YOUR_QQ_NUMBER")
    knobs.data.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(knobs.data / ".retrain.lock", timeout=0):
            _stages(knobs)
    except Timeout:
        raise TrainingError(
            "another retrain is at work here", hint="wait for it, or give --data another folder"
        ) from None


def _stages(knobs: Retrain) -> None:
    steps = Steps(knobs.data / "retrain.json")
    version = _new_version(knobs, steps)
    serving = version_folder(knobs.personas / knobs.name)
    if serving == version and (kept := _scores(version).get("gate")):
        # It serves because it has passed; held against something else it might not.
        show("retrain", _told(version, kept, steps), as_json=knobs.as_json)
        return
    found = _compare(knobs, steps, version, _comparable(serving, version))
    verdict = found["gate"]
    passed = verdict["verdict"] == "pass"
    _write_down(found, passed, version)
    if passed:
        make_current(version)
    show("retrain", _told(version, verdict, steps), as_json=knobs.as_json)
    if not passed:
        needed = f"; {n} sessions would settle it" if (n := verdict["sessions_needed"]) else ""
        why = f"{verdict['verdict']}: {'; '.join(verdict['reasons'])}{needed}"
        raise Refused(f"{version.name} does not serve: {why}", hint="what serves now serves on; see its report.json")


def _comparable(serving: Path, version: Path) -> Path | None:
    """The persona that serves, if there is one that says what it was trained on."""
    if serving == version or not (serving / MANIFEST).is_file():
        return None
    if not (serving / TRAINED).is_file():
        console.print(f"{serving.name} doesn't say what it was trained on: compared with base + prompt instead")
        return None
    return serving


def _write_down(found: dict[str, Any], passed: bool, version: Path) -> None:
    """Keep the verdict beside the version, with what it was given on: an exchange by command reads it."""
    verdict = found["gate"]
    values = {name: figure["value"] for name, figure in found["systems"][0].items()}
    kept = {"persona": found["personas"][0], "passed": passed, "reasons": verdict["reasons"], "gate": verdict}
    write_atomically(version / SCORES, json.dumps({**kept, "figures": values}, ensure_ascii=False, indent=1) + "\n")


def _scores(version: Path) -> dict[str, Any]:
    path = version / SCORES
    return json.loads(path.read_bytes()) if path.is_file() else {}


def _new_version(knobs: Retrain, steps: "Steps") -> Path:
    """Everything up to a sealed version."""
    data = ["--data", str(knobs.data)]
    me = [part for entry in knobs.me for part in ("--me", entry)]
    if knobs.exports:
        files = [f"{path}:{sha256(path)}" if path.is_file() else f"{path}" for path in knobs.exports]
        whole = all(path.is_file() for path in knobs.exports)
        key = [*files, *knobs.me, load(Import).model_dump_json()] if whole else []
        steps.run("import", key, ["import", *map(str, knobs.exports), *data, *me])
    contacts = knobs.data / "contacts.json"
    fed = [sha256(knobs.data / "messages.jsonl"), sha256(contacts) if contacts.is_file() else ""]
    fed.append(load(Dataset).model_dump_json())
    remembered = _remember(knobs, steps, fed)
    steps.run("dataset", [*fed, *remembered], ["dataset", *data])
    run = knobs.runs / knobs.name
    over: dict[str, Any] = {**({"preset": knobs.preset} if knobs.preset else {}), **(QUICK if knobs.quick else {})}
    given = [part for name, value in over.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    asked = recipe.resolve(load(Train, **over))
    fed = [sha256(knobs.data / name) for name in ("train.jsonl", "heldout.jsonl", "prompt.json")]
    where = ["--name", knobs.name, *data, "--runs", str(knobs.runs)]
    steps.run("train", [*fed, asked.model_dump_json()], ["train", *given, *where], made=run / RUN)
    to = ["--personas", str(knobs.personas), *data, "--no-make-current"]
    merged = steps.run("merge", [sha256(run / RUN), load(Merge).model_dump_json()], ["merge", str(run), *to])
    version = Path(merged["version"])
    if not (version / "persona.json").is_file():
        steps.forget("merge")
        raise TrainingError(f"{version} is gone", hint="start again: it is merged anew")
    return version


def _remember(knobs: Retrain, steps: "Steps", fed: Sequence[str]) -> list[str]:
    """Let the bot remember the new records too, where it remembers or is to find by meaning; what of it the
    dataset is fed. A server of embeddings that is down is told, and does not hold up the training."""
    memory, bot = knobs.data / "memory.db", load(Bot)
    if not (memory.is_file() or bot.embeddings):
        return []
    me = knobs.data / "me.toml"
    key = [*fed, bot.embeddings, bot.embeddings_model, sha256(me) if bot.embeddings and me.is_file() else ""]
    words = ["--data", str(knobs.data), "--memory", str(memory)]
    try:
        found = steps.run("remember", key, ["remember", *words], made=memory)
    except TrainingError as error:
        console.print(f"{error}; {error.hint}", markup=False)
        steps.told["remember"] = str(error)
        return []
    return [f"{bot.embeddings_model}: {found.get('vectors', 0)}"] if bot.embeddings else []


def _compare(knobs: Retrain, steps: "Steps", version: Path, serving: Path | None) -> dict[str, Any]:
    """The new version against the serving one, by the command of that name; alone against base + prompt."""
    sides = [version, *([serving] if serving else [])]
    base_model = json.loads((knobs.runs / knobs.name / RUN).read_bytes())["base_model"]
    known = ["--base-model", base_model] if Path(base_model).is_dir() else []
    flags = ["--data", str(knobs.data), "--runs", str(knobs.runs), *known, *(["--quick"] if knobs.quick else [])]
    files = ("messages.jsonl", "train.jsonl", "heldout.jsonl")
    fed = [*(Persona.load(side).hash for side in sides), *(sha256(knobs.data / name) for name in files), *flags]
    words = ["compare", *map(str, sides), *flags, "--device", knobs.device]
    return steps.run("compare", [*fed, load(Gate).model_dump_json()], words)


class Steps:
    """The stages done so far, each with the hash of what it was fed and its report."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
        self.told: dict[str, str] = {}
        """Stage → how long it took, or that it was skipped."""

    def run(
        self, stage: str, fed: Sequence[str], command: Sequence[str], *, made: Path | None = None
    ) -> dict[str, Any]:
        """The stage's report; from before, if it was fed the same and what it made is there. Fed nothing: always run."""
        key = hashlib.sha256("\0".join(fed).encode()).hexdigest() if fed else ""
        known = self._done.get(stage, {})
        if key and known.get("key") == key and (made is None or made.is_file()):
            self.told[stage] = "unchanged"
            return known["report"]
        console.print(f"{stage} …")
        begun = time.monotonic()
        report = _command(stage, [*command, "--json"])
        self.told[stage] = f"done in {timedelta(seconds=round(time.monotonic() - begun))}"
        self._done[stage] = {"key": key, "report": report}
        self._save()
        return report

    def forget(self, stage: str) -> None:
        self._done.pop(stage, None)
        self._save()

    def _save(self) -> None:
        write_atomically(self._path, json.dumps(self._done, ensure_ascii=False, indent=1) + "\n")


def _command(stage: str, words: Sequence[str]) -> dict[str, Any]:
    """One command in a process of its own; what it says on the way is passed on, its two-line error becomes ours."""
    line = [sys.executable, str(ROOT / "mybot.py"), *words]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as told,
        subprocess.Popen(line, stdout=told, stderr=subprocess.PIPE, text=True) as child,  # noqa: S603 - our own command
    ):
        assert child.stderr is not None
        last: deque[str] = deque(maxlen=2)
        try:
            for said in filter(str.strip, child.stderr):
                last.append(said.strip())
                if not said.startswith(("error: ", " hint: ")):
                    sys.stderr.write(f"  {said}")
        except BaseException:
            # Training saves where it is when it is told to end.
            child.terminate()
            raise
        if child.wait():
            error, hint = _failure(list(last), words[0])
            raise TrainingError(f"{stage}: {error}", hint=hint)
        told.seek(0)
        return json.loads(told.read().strip().splitlines()[-1])


def _failure(last: Sequence[str], word: str) -> tuple[str, str]:
    """The error and the hint in the last two lines of a command."""
    error = next((line for line in last if line.startswith("error: ")), last[-1] if last else "it said nothing")
    hint = next((line for line in last if line.startswith("hint: ")), f"run `mybot {word}` by hand")
    return error.removeprefix("error: "), hint.removeprefix("hint: ")


def _told(version: Path, verdict: dict[str, Any], steps: Steps) -> dict[str, Any]:
    losses = {name: figure["value"] for name, figure in verdict["checks"].items()}
    return {
        "version": version.name,
        "stages": steps.told,
        "against": verdict["against"] or "base + prompt",
        "worse_by": losses or None,
        "insufficient": ", ".join(verdict["insufficient"]) or None,
        "gate": verdict["verdict"],
        "serves": verdict["verdict"] == "pass",
    }
