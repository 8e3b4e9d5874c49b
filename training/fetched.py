"""Base models that were fetched: folders of the Hugging Face hub's own cache, found by name and without network.

    $HF_HOME/hub/models--Qwen--Qwen3-8B/ refs/main             one line: the commit that `main` was
                                         snapshots/<commit>/   the files

Whatever loads a model by its hub name (transformers, vLLM, …) looks there too. Only whole models count:
the library may leave a folder with a config and no weights.
"""

import json
from pathlib import Path


def cache_of(name: str) -> Path:
    """Where the hub's cache keeps the model of this name, whether it is there or not."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"


def fetched(name: str, revision: str = "") -> Path | None:
    """The folder of a model that was fetched whole; None where it wasn't."""
    cache = cache_of(name)
    ref = cache / "refs" / (revision or "main")
    commit = ref.read_text(encoding="utf-8").strip() if ref.is_file() else revision
    folder = cache / "snapshots" / commit
    return folder if commit and is_whole(folder) else None


def name_of(path: str) -> str:
    """The name of a model whose folder in the cache this is; any other path as it is."""
    parts = Path(path).parts
    return parts[-3].removeprefix("models--").replace("--", "/") if parts[-2:-1] == ("snapshots",) else path


def is_whole(folder: Path) -> bool:
    """Whether a model's config and all of its weights are there."""
    if not (folder / "config.json").is_file():
        return False
    for single in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{single}.index.json"
        if index.is_file():
            parts = set(json.loads(index.read_bytes())["weight_map"].values())
            return all((folder / part).is_file() for part in parts)
        if (folder / single).is_file():
            return True
    return False
