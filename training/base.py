"""The base model: a local folder or a name on the hub, loaded for training or merging.

What `mybot pull` fetched is loaded from where it lies, without a look at the network.

Errors are those a person can mend: no such folder, not a model, no network, not enough disk.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.errors import TrainingError
from training.fetched import fetched
from training.templates import dress

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PreTrainedModel


def locate(name: str) -> str:
    """The folder or hub name of a base model; a folder that isn't a model is a TrainingError."""
    if not name:
        raise TrainingError(
            "no base model is named, and the preset names none", hint="--base-model FOLDER, or a hub name"
        )
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise TrainingError(
                f"{path} is no model folder: no config.json", hint="give the folder that holds config.json"
            )
        return str(path.resolve())
    if path.is_absolute() or name.startswith(".") or name.count("/") != 1:
        raise TrainingError(
            f"there is no base model at {name}", hint="give a local folder or a hub name such as Qwen/Qwen3-8B"
        )
    return name


def source(name: str, revision: str = "") -> str:
    """Where a base model is loaded from: its folder, that in which it was fetched, or else the hub."""
    located = locate(name)
    return str(fetched(name, revision) or located) if located == name else located


def _asked(name: str, revision: str) -> str:
    """`source`, told of where it is the hub: without network that answers after a quarter of a minute only."""
    found = source(name, revision)
    if not Path(found).is_dir():
        sys.stderr.write(f"asking the hub for {name}\n")
    return found


def load_config(name: str, revision: str = "") -> Any:
    """The base model's configuration: the only file `mybot plan` needs."""
    from transformers import AutoConfig

    return _from_hub(name, lambda: AutoConfig.from_pretrained(_asked(name, revision), revision=revision or "main"))


def load_tokenizer(name: str, revision: str = "") -> Any:
    """The base model's tokenizer with the plain template that will be sealed."""
    from transformers import AutoTokenizer

    tokenizer = _from_hub(
        name, lambda: AutoTokenizer.from_pretrained(_asked(name, revision), revision=revision or "main")
    )
    dress(tokenizer)
    return tokenizer


def saved_tokenizer(folder: Path) -> Any:
    """The tokenizer that training saved beside its adapter, already dressed."""
    from transformers import AutoTokenizer

    return _from_hub(str(folder), lambda: AutoTokenizer.from_pretrained(str(folder)))


def quiet() -> None:
    """Keep the libraries' own chatter off the terminal; warnings that matter become our errors."""
    import logging
    import warnings

    from transformers.utils import logging as chatter

    chatter.set_verbosity_error()
    chatter.disable_progress_bar()
    for name in ("bitsandbytes", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # TRL 1.16 still sets the old name of activation checkpointing itself.
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)


def load_model(
    name: str,
    *,
    dtype: "torch.dtype",
    revision: str = "",
    quantization: "BitsAndBytesConfig | None" = None,
    attn_implementation: str = "auto",
) -> "PreTrainedModel":
    """The base model's weights; on CUDA each process of a torchrun takes its own card."""
    import os

    import torch
    from transformers import AutoModelForCausalLM

    options: dict[str, Any] = {"dtype": dtype, "quantization_config": quantization}
    if torch.cuda.is_available():
        # device_map fails on a machine without a GPU; under torchrun every process has its own card.
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
    if attn_implementation != "auto":
        options["attn_implementation"] = attn_implementation
    model = _from_hub(
        name,
        lambda: AutoModelForCausalLM.from_pretrained(source(name, revision), revision=revision or "main", **options),
    )
    if quantization is not None and not getattr(model, "is_quantized", False):
        raise TrainingError(f"{name} was not quantised as asked", hint="check that bitsandbytes is installed")
    return model


def _from_hub(name: str, load: Any) -> Any:
    from safetensors import SafetensorError

    try:
        return load()
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        first = str(error).strip().splitlines()[0][:200]
        raise TrainingError(
            f"the base model {name} can't be loaded: {first}",
            hint="`mybot pull` fetches it, from a mirror or ModelScope too; or give a local folder",
        ) from error


def map_model(name: str, revision: str = "") -> Any:
    """The base model on the CPU in its own dtype: its files are mapped, and a weight is read when it is used."""
    from transformers import AutoModelForCausalLM

    return _from_hub(
        name, lambda: AutoModelForCausalLM.from_pretrained(locate(name), revision=revision or "main", dtype="auto")
    )
