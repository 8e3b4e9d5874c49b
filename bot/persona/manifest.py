"""The persona folder: the one thing that training hands to the bot.

    personas/me/                    a persona: versions, and which one is current
    ├── current                     one line: the name of a version; switched by an atomic rename
    └── 20261101-093012-5f1c/       a version, never changed once sealed
        ├── persona.json            this manifest, written last: a folder without it is none
        ├── config.json, *.safetensors, tokenizer*.json, chat_template.jinja, …
        └── adapter/                the LoRA adapter that was merged

Apart from persona.json a version is an ordinary transformers model folder. The manifest holds
numbers, names and hashes, and no message text.
"""

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from typing_extensions import Self

from bot.persona import copies
from bot.persona.behaviour import Behaviour
from bot.persona.copies import Copies
from bot.persona.prompt import PromptSpec
from config.errors import PersonaError

MANIFEST = "persona.json"
CURRENT = "current"
SCORES = "scores.json"
"""What was measured of a version, and the gate's verdict on it."""
OUTSIDE = frozenset({MANIFEST, SCORES})
"""Files of a version that the seal doesn't cover."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())


class Quantization(Part):
    """How bitsandbytes loads a base model; the names are transformers'."""

    load_in_4bit: bool = False
    """Weights in 4 bit."""
    load_in_8bit: bool = False
    """Weights in 8 bit."""
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "nf4"
    """The 4-bit number format."""
    bnb_4bit_use_double_quant: bool = True
    """Whether the quantisation constants are quantised too."""


class Model(Part):
    base: str
    """What was fine-tuned: a hub name or a folder's name."""
    revision: str = ""
    """The hub commit, where it is known."""
    weights: Literal["merged", "adapter"] = "merged"
    """Whether the folder holds whole weights, or only adapter/ on top of `base`."""
    folder: str = ""
    """Of an adapter on a local base: where that folder lay, seen from the version folder."""
    fingerprint: str = ""
    """Of an adapter on a local base: the digest by which that very base is known."""
    quantization: Quantization | None = None
    """Of an adapter: how its base was loaded in training, and is loaded to serve. None: in 16 bit."""
    dtype: Literal["float32", "float16", "bfloat16"] = "float16"
    """Dtype of the weights on disk."""
    parameters: int = Field(default=0, ge=0)
    """How many, so that a device can be refused before anything is loaded."""
    license: str = ""
    """The base model's licence, as its config or card names it."""
    context: int = Field(default=2048, ge=1)
    """Tokens a prompt and its reply may have together."""


class Generation(Part):
    temperature: float = Field(default=0.8, ge=0)
    """0 always takes the likeliest token."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Share of the probability that is drawn from."""
    top_k: int = Field(default=0, ge=0)
    """Draw from so many tokens only; 0: all."""
    min_p: float = Field(default=0.0, ge=0, lt=1)
    """Tokens less likely than this share of the likeliest are never drawn."""
    repetition_penalty: float = Field(default=1.0, gt=0)
    """Above 1 makes tokens that were there less likely."""
    max_tokens: int = Field(default=128, ge=1)
    """The longest reply."""


class Provenance(Part):
    mybot: str = ""
    """Version of mybot."""
    created: datetime
    """When it was sealed, UTC."""
    data: dict[str, str] = {}
    """SHA-256 of train.jsonl and heldout.jsonl."""
    recipe: dict[str, str | int | float | bool | None] = {}
    """The [train] table as it was run."""
    counts: dict[str, int] = {}
    """What it was trained on: windows, tokens, tokens of my replies."""
    cost: dict[str, float] = {}
    """What training it took: seconds over all starts of the run; GiB at most, of the process and of its card."""
    losses: dict[str, float] = {}
    """Loss on my replies by where it was measured; `served_…`: of each form it could be shipped in, on dev."""
    form: str = ""
    """The form that is shipped: original, dequant or adapter."""
    served: str = ""
    """How the forms were served when they were measured: 16 bit, 8 bit, 4 bit; empty: not measured."""
    merge_error: float | None = None
    """Relative logit error of what is shipped against the model as trained."""
    merge_errors: dict[str, float] = {}
    """The same by form."""
    sampling: dict[str, float] = {}
    """How near the sealed sampling comes to my own replies on dev, by measure; empty: it was not fitted."""
    packages: dict[str, str] = {}
    """Versions of what trained it."""


class File(Part):
    size: int
    """Bytes."""
    sha256: str
    """Hex digest."""


class Persona(Part):
    """Everything the bot must know about the model it speaks with."""

    format: Literal[1] = 1
    name: str
    """The persona's folder name."""
    model: Model
    prompt: PromptSpec
    generation: Generation = Generation()
    behaviour: Behaviour = Behaviour()
    provenance: Provenance
    files: dict[str, File] = {}
    """Every other file of the folder."""
    _copies: Copies | None = PrivateAttr(default=None)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The manifest of a version folder, without touching its weights."""
        path = folder / MANIFEST
        try:
            persona = cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise PersonaError(
                f"{folder} is not a persona: no {MANIFEST}", hint="make one with `mybot merge`, or try `mybot demo`"
            ) from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise PersonaError(f"{path}: {where}: {first['msg'].lower()}", hint="copy the folder again") from None
        if copies.FILE in persona.files:
            persona._copies = Copies.open(folder / copies.FILE)
        return persona

    @property
    def copies(self) -> Copies | None:
        """What was said in which chat of the records, hashed; None where the persona was sealed without it."""
        return self._copies

    def seal(self, folder: Path) -> Self:
        """Hash the folder's files, then write the manifest in one move."""
        sealed = self.model_copy(update={"files": describe(folder)})
        write_atomically(folder / MANIFEST, sealed.model_dump_json(indent=2))
        return sealed

    def check(self, folder: Path, *, hashes: bool = False) -> None:
        """Raise PersonaError unless every file is there in its size, or with its hash."""
        for name, file in self.files.items():
            path = folder / name
            size = path.stat().st_size if path.is_file() else -1
            if size != file.size or (hashes and _sha256(path) != file.sha256):
                what = "missing" if size < 0 else "changed"
                raise PersonaError(f"{folder}: {name} is {what}", hint="copy the folder again, or merge once more")

    @property
    def hash(self) -> str:
        """Twelve hex digits that name this version's content wherever a reply is kept."""
        parts = "".join(f"{name}{file.sha256}" for name, file in sorted(self.files.items()))
        return hashlib.sha256((parts + self.prompt.model_dump_json()).encode()).hexdigest()[:12]


def version_folder(path: Path) -> Path:
    """The sealed version that `path` means: itself, or the one its `current` names."""
    if (path / MANIFEST).is_file():
        return path
    try:
        name = (path / CURRENT).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return path
    return path / name


def open_persona(path: Path) -> tuple[Path, Persona]:
    """The version folder that `path` means, and its manifest; sizes are checked."""
    folder = version_folder(path)
    persona = Persona.load(folder)
    persona.check(folder)
    return folder, persona


def make_current(folder: Path) -> None:
    """Let the persona's `current` name this sealed version, in one move."""
    Persona.load(folder)
    write_atomically(folder.parent / CURRENT, folder.name + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def describe(folder: Path) -> dict[str, File]:
    """Size and hash of every file below a version folder that its seal covers."""
    return {
        path.relative_to(folder).as_posix(): File(size=path.stat().st_size, sha256=_sha256(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in OUTSIDE and not path.name.startswith(".")
    }


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
