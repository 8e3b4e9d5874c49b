"""`mybot export`: what was made here, for other tools.

mybot export dataset   data/*.jsonl ─▶ exports/ for LLaMA-Factory and Axolotl (export_dataset.py)
mybot export gguf      a merged persona ─llama.cpp's own converter─▶ exports/<name>-<version>.gguf
"""

import shutil
import subprocess
import sys
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
    scratch = target.with_name(f".{target.name}.part")
    line = [sys.executable, str(converter), str(folder), "--outfile", str(scratch), "--outtype", knobs.outtype]
    try:
        # What it says goes to the terminal: a large model takes minutes.
        done = subprocess.run(line, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - the operator's converter
        if done.returncode or not scratch.is_file():
            last = done.stderr.strip().splitlines() or ["no message"]
            raise TrainingError(
                f"the converter failed: {last[-1][:200]}",
                hint=f"its requirements: pip install gguf; by hand: {line[1]}",
            )
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return {"gguf": str(target), "bytes": target.stat().st_size}


def _converter(given: Path | None) -> Path:
    found = str(given) if given is not None else shutil.which(CONVERTER) or ""
    path = Path(found) / CONVERTER if found and Path(found).is_dir() else Path(found)
    if not path.is_file():
        raise TrainingError(
            f"llama.cpp's {CONVERTER} is not {'at ' + found if found else 'on the PATH'}",
            hint="git clone https://github.com/ggml-org/llama.cpp, then --converter llama.cpp (needs pip install gguf)",
        )
    return path
