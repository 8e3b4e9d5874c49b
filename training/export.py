"""`mybot export`: what was made here, for other tools.

mybot export dataset   data/*.jsonl ─▶ exports/ for LLaMA-Factory and Axolotl (export_dataset.py)
mybot export gguf      a merged persona ─llama.cpp's own converter─▶ exports/<name>-<version>.gguf
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bot.persona.manifest import open_persona
from config.errors import TrainingError
from config.settings import Export
from training import export_dataset
from training.report import show

CONVERTER = "convert_hf_to_gguf.py"


def main(knobs: Export) -> None:
    numbers = gguf(knobs) if knobs.what == "gguf" else export_dataset.write(knobs.data, knobs.out)
    show(f"export: {knobs.out}", numbers, as_json=knobs.as_json)


def gguf(knobs: Export) -> dict[str, str | int]:
    """Let llama.cpp's converter write a merged persona as one GGUF file."""
    converter = _converter(knobs.converter)
    folder, persona = open_persona(knobs.persona)
    if persona.model.weights != "merged":
        raise TrainingError(
            f"{persona.name} is an adapter on {persona.model.base}, and GGUF needs whole weights",
            hint="mybot merge RUN with merged weights makes a version that can be converted",
        )
    knobs.out.mkdir(parents=True, exist_ok=True)
    target = knobs.out / f"{persona.name}-{folder.name}.gguf"
    with tempfile.TemporaryDirectory(prefix=".", dir=knobs.out) as made:
        scratch = Path(made) / target.name
        source = _as_trained(folder, Path(made) / target.stem)
        line = [sys.executable, str(converter), str(source), "--outfile", str(scratch), "--outtype", knobs.outtype]
        # What it says goes to the terminal: a large model takes minutes.
        done = subprocess.run(line, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - the operator's converter
        if done.returncode or not scratch.is_file():
            last = done.stderr.strip().splitlines() or ["no message"]
            raise TrainingError(
                f"the converter failed: {last[-1][:200]}",
                hint=f"its requirements: pip install gguf sentencepiece protobuf; by hand: {line[1]}",
            )
        scratch.replace(target)
    return {"gguf": str(target), "bytes": target.stat().st_size}


def _as_trained(folder: Path, scratch: Path) -> Path:
    """The persona's files for the converter, where llama.cpp is to read prompts as they were trained.

    Of a SentencePiece vocabulary it would put a space after each control token. transformers puts one before the
    prompt alone, and none where that begins with a control token, as a persona's template has it.
    """
    scratch.mkdir()
    for path in folder.iterdir():
        (scratch / path.name).symlink_to(path.resolve())
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    if config.get("bos_token") or "bos_token" not in template:
        (scratch / path.name).unlink()
        (scratch / path.name).write_text(json.dumps({**config, "add_prefix_space": False}), encoding="utf-8")
    return scratch


def _converter(given: Path | None) -> Path:
    found = str(given) if given is not None else shutil.which(CONVERTER) or ""
    path = Path(found) / CONVERTER if found and Path(found).is_dir() else Path(found)
    if not path.is_file():
        raise TrainingError(
            f"llama.cpp's {CONVERTER} is not {'at ' + found if found else 'on the PATH'}",
            hint="git clone https://github.com/ggml-org/llama.cpp, then --converter llama.cpp (needs pip install gguf sentencepiece protobuf)",
        )
    return path
