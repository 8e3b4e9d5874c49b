"""Adapter + base model → merged weights on disk, a layer at a time: the whole model is never in memory.

    base's files ─mapped─▶ a layer ─rounded as in training─▶ PEFT's own merge in 32 bit ─▶ shard ─▶ disk

transformers maps the base's files instead of reading them, so a weight costs memory only while it
is worked on; what is kept is one shard. PEFT attaches the adapter and merges each layer itself,
so DoRA, rsLoRA and the others are its arithmetic.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.persona.manifest import Quantization
from config.errors import TrainingError

if TYPE_CHECKING:
    import torch

GIB = 2**30
SHARD = 4 * 10**9
"""Bytes of the largest shard: what every loader takes, also on a card with little room beside it."""
AROUND = 1.2 * GIB
"""What the interpreter, torch and the adapter's bookkeeping take."""
OnShard = Callable[[int, int], None]


@dataclass(slots=True, frozen=True)
class Rounding:
    """How bitsandbytes rounded the base in training, and the dtype in which it gives a weight back."""

    quantization: Quantization
    dtype: "torch.dtype"


def shard_size(model: Any, adapter: Path, dtype: "torch.dtype", memory: float) -> int:
    """Bytes a shard may have within so many bytes of memory; TrainingError if none fits."""
    words = {id(ends.weight) for ends in (model.get_input_embeddings(), model.get_output_embeddings())}
    layer = max(p.numel() for p in model.parameters() if id(p) not in words)
    # In 32 bit at once: the layer, the copy PEFT merges in, and the difference.
    work = 3 * 4 * layer
    beside = AROUND + work + sum(path.stat().st_size for path in adapter.glob("*.safetensors"))
    least = max(p.numel() for p in model.parameters()) * dtype.itemsize
    if memory - beside < least:
        raise TrainingError(
            f"the merge needs {(beside + least) / GIB:.1f} GiB of memory, and may have {memory / GIB:.1f}",
            hint="raise [merge] max_memory, close other programs, or merge on a larger machine",
        )
    return min(SHARD, int(memory - beside))


def merge(
    model: Any,
    adapter: Path,
    folder: Path,
    *,
    dtype: "torch.dtype",
    size: int,
    rounding: Rounding | None = None,
    on_shard: OnShard = lambda done, of: None,
) -> int:
    """Write the merged weights of a model from `base.map_model`, which is used up. Returns the parameters.

    With `rounding` the base is first rounded as it was in training: what the adapter was fitted to.
    """
    import torch
    from huggingface_hub import split_torch_state_dict_into_shards
    from safetensors.torch import save_file
    from transformers.core_model_loading import revert_weight_conversion

    quantized = quantized_layers(model, rounding.quantization) if rounding else frozenset()
    names, own = list(model.state_dict()), _without_tied(model)
    _attach(model, adapter)
    if _unties(model):
        model.config.tie_word_embeddings = False
        own = names
    shapes = {name: _tensor(model, name).shape for name in own}
    split = split_torch_state_dict_into_shards(
        {name: torch.empty(shape, dtype=dtype, device="meta") for name, shape in shapes.items()},
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=size,
    )
    layers = Layers(model, quantized, rounding)
    written: dict[str, str] = {}
    for number, (file, inside) in enumerate(split.filename_to_tensors.items(), 1):
        shard = revert_weight_conversion(model, {name: _cast(name, layers.take(name), dtype) for name in inside})
        save_file(shard, folder / file, metadata={"format": "pt"})
        written |= dict.fromkeys(shard, file)
        del shard
        on_shard(number, len(split.filename_to_tensors))
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": written}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    return sum(shape.numel() for shape in shapes.values())


def _attach(model: Any, adapter: Path) -> None:
    """PEFT's adapter in the model, all of its weights in 32 bit."""
    import torch
    from peft import PeftModel, load_peft_weights, set_peft_model_state_dict
    from peft.utils.other import ModulesToSaveWrapper

    words, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head.weight is words.weight:
        # An adapter of the one must not change the other; a file is mapped twice at no cost.
        head.weight = torch.nn.Parameter(head.weight.detach(), requires_grad=False)
    tuned = PeftModel.from_pretrained(model, str(adapter)).eval()
    whole = [module for module in model.modules() if isinstance(module, ModulesToSaveWrapper)]
    if whole:
        # Modules trained whole were made as copies in the base's dtype, which rounds what is loaded into them.
        for module in whole:
            module.modules_to_save.to(torch.float32)
        set_peft_model_state_dict(tuned, load_peft_weights(str(adapter), device="cpu"))


class Layers:
    """A model with an adapter attached, from which merged tensors are taken once each and let go."""

    def __init__(self, model: Any, quantized: frozenset[str], rounding: Rounding | None) -> None:
        import torch

        self._model = model
        self._quantized = quantized
        self._rounding = rounding
        self._ready: dict[str, torch.Tensor] = {}
        self._device = "cuda" if torch.cuda.is_available() else "cpu"

    def take(self, name: str) -> "torch.Tensor":
        """A tensor of the merged model, under the name it has in the base model."""
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils.other import ModulesToSaveWrapper

        if name in self._ready:
            return self._ready.pop(name)
        path, _, leaf = name.rpartition(".")
        module = self._model.get_submodule(path)
        if isinstance(module, BaseTunerLayer):
            merged = self._merged(path, module)
            self._ready |= {f"{path}.{part}": tensor for part, tensor in merged.items()}
            return self._ready.pop(name)
        if isinstance(module, ModulesToSaveWrapper):
            return getattr(module.modules_to_save[module.active_adapters[0]], leaf).detach()
        tensor = getattr(module, leaf).detach()
        if leaf == "weight":
            tensor = self._rounded(path, tensor)
        if leaf in module._parameters:
            module.to("meta")
        return tensor

    def _merged(self, path: str, module: Any) -> dict[str, "torch.Tensor"]:
        """All tensors of a layer after PEFT has merged the adapter into it, in 32 bit."""
        import torch

        plain = module.get_base_layer()
        for part, parameter in plain.named_parameters(recurse=False):
            value = self._rounded(path, parameter.detach()) if part == "weight" else parameter.detach()
            parameter.data = value.to(torch.float32)
        module.to(self._device)
        layer = module
        while layer is not plain:
            try:
                layer.merge(safe_merge=True)
            except ValueError as error:
                raise _not_finite(path) from error
            layer = layer.base_layer
        merged = {part: tensor.detach().cpu() for part, tensor in plain.state_dict(keep_vars=True).items()}
        module.to("meta")
        return merged

    def _rounded(self, path: str, weight: "torch.Tensor") -> "torch.Tensor":
        if self._rounding is None or path not in self._quantized:
            return weight
        return rounded(weight.to(self._device), self._rounding).cpu()


def rounded(weight: "torch.Tensor", rounding: Rounding) -> "torch.Tensor":
    """A linear layer's weight after bitsandbytes has quantised it and given it back."""
    from bitsandbytes import functional

    how, weight = rounding.quantization, weight.to(rounding.dtype)
    if how.load_in_8bit:
        rows, scales, _ = functional.int8_vectorwise_quant(weight.half())
        return functional.int8_vectorwise_dequant(rows, scales)
    packed, state = functional.quantize_4bit(
        weight, quant_type=how.bnb_4bit_quant_type, compress_statistics=how.bnb_4bit_use_double_quant
    )
    return functional.dequantize_4bit(packed, state)


def quantized_layers(model: Any, quantization: Quantization) -> frozenset[str]:
    """The names of the layers that transformers quantises in this model; found on one without weights."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    from transformers.quantizers.auto import AutoHfQuantizer

    with torch.device("meta"):
        empty: Any = AutoModelForCausalLM.from_config(model.config)
    linear = {name: type(module) for name, module in empty.named_modules()}
    quantizer: Any = AutoHfQuantizer.from_config(BitsAndBytesConfig(**quantization.model_dump()))
    quantizer.preprocess_model(model=empty, device_map=None)
    return frozenset(name for name, module in empty.named_modules() if type(module) is not linear.get(name))


def _without_tied(model: Any) -> list[str]:
    from transformers.modeling_utils import remove_tied_weights_from_state_dict

    return list(remove_tied_weights_from_state_dict(model.state_dict(), model))


def _unties(model: Any) -> bool:
    """Whether the adapter changes one of two weights that the base model ties together."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import ModulesToSaveWrapper

    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    return any(isinstance(module, BaseTunerLayer | ModulesToSaveWrapper) for module in ends)


def _tensor(model: Any, name: str) -> "torch.Tensor":
    path, _, leaf = name.rpartition(".")
    module = model.get_submodule(path)
    return getattr(module.get_base_layer() if hasattr(module, "get_base_layer") else module, leaf)


def _cast(name: str, tensor: "torch.Tensor", dtype: "torch.dtype") -> "torch.Tensor":
    import torch

    if not tensor.is_floating_point():
        return tensor.contiguous()
    cast = tensor.to(dtype).contiguous()
    if not torch.isfinite(cast).all():
        raise _not_finite(name, dtype)
    # A view of a mapped file would keep the whole file; only a copy lets it go.
    return cast.clone() if cast.data_ptr() == tensor.data_ptr() else cast


def _not_finite(name: str, dtype: "torch.dtype | None" = None) -> TrainingError:
    import torch

    if dtype is torch.float16:
        return TrainingError(f"{name} does not fit into float16", hint="--dtype bfloat16 reaches further")
    return TrainingError(f"{name} has no finite numbers after the merge", hint="train again with a lower learning rate")
