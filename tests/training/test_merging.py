"""The merge layer by layer: PEFT's own result for every variant, in shards, within the memory it may have."""

from pathlib import Path
from typing import Any

import pytest

from bot.persona.manifest import Quantization
from config.errors import TrainingError
from training import base, merging

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore:`is_gradient_checkpointing`:FutureWarning")
MIB = 2**20


def make_base(folder: Path, *, tied: bool = False, layers: int = 2, width: int = 64, shard: str = "4GB") -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=512, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=tied, initializer_range=0.1,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder, max_shard_size=shard)
    return folder


def tune(folder: Path, adapter: Path, **how: Any) -> Any:
    """A model with an adapter of random weights, both in 32 bit, and the adapter on disk."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    options: dict[str, Any] = {"r": 4, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **how}
    tuned: Any = get_peft_model(
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), LoraConfig(**options)
    )
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if parameter.requires_grad and "magnitude" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    tuned.save_pretrained(adapter)
    return tuned.eval()


@pytest.mark.parametrize("tied", [False, True], ids=["own", "tied"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"use_rslora": True, "lora_alpha": 32},
        {"use_dora": True},
        {"bias": "all"},
        {"modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj", "embed_tokens"]},
    ],
    ids=["lora", "rslora", "dora", "bias", "head", "embeddings"],
)
def test_what_is_written_is_the_model_as_trained(tmp_path: Path, how: dict[str, Any], tied: bool) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    tuned = tune(make_base(tmp_path / "base", tied=tied), tmp_path / "adapter", **how)
    model = base.map_model(str(tmp_path / "base"))
    (tmp_path / "merged").mkdir()
    said: list[tuple[int, int]] = []
    merging.merge(
        model, tmp_path / "adapter", tmp_path / "merged", dtype=torch.float32, size=100_000,
        on_shard=lambda done, of: said.append((done, of)),
    )  # fmt: skip
    model.config.save_pretrained(tmp_path / "merged")
    assert len(said) > 2
    assert said[-1][0] == said[-1][1] == len(list((tmp_path / "merged").glob("*.safetensors")))
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        wanted, found = tuned(ids).logits, merged(ids).logits
    assert float((found - wanted).norm() / wanted.norm()) < 1e-5


def test_memory_is_that_of_a_shard_and_not_of_the_model(tmp_path: Path) -> None:
    """150 MiB of weights in 16 bit; the peak above what was in use before stays far below."""
    import gc

    import torch

    tune(
        make_base(tmp_path / "base", layers=24, width=512, shard="16MB"),
        tmp_path / "adapter",
        target_modules=["q_proj"],
    )
    gc.collect()
    size = sum(path.stat().st_size for path in (tmp_path / "base").glob("*.safetensors"))
    assert size > 150 * MIB
    model = base.map_model(str(tmp_path / "base"))
    (tmp_path / "merged").mkdir()
    before = memory("VmRSS")
    # Linux then counts the peak anew.
    Path("/proc/self/clear_refs").write_text("5")
    merging.merge(model, tmp_path / "adapter", tmp_path / "merged", dtype=torch.bfloat16, size=16 * 10**6)
    peak = memory("VmHWM") - before
    assert sum(path.stat().st_size for path in (tmp_path / "merged").glob("*.safetensors")) > 150 * MIB
    assert peak < 0.6 * size, f"{peak / MIB:.0f} MiB for {size / MIB:.0f}"


def memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def test_a_shard_fits_into_the_memory_or_nothing_is_begun(tmp_path: Path) -> None:
    import torch

    tune(make_base(tmp_path / "base"), tmp_path / "adapter")
    model = base.map_model(str(tmp_path / "base"))
    least = merging.AROUND + 2 * MIB
    assert merging.shard_size(model, tmp_path / "adapter", torch.float16, 16 * merging.GIB) == merging.SHARD
    assert 0 < merging.shard_size(model, tmp_path / "adapter", torch.float16, least) < 2 * MIB
    with pytest.raises(TrainingError, match="GiB of memory") as small:
        merging.shard_size(model, tmp_path / "adapter", torch.float16, merging.AROUND)
    assert "max_memory" in small.value.hint


def test_numbers_that_are_none_or_too_large_are_said(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    tune(make_base(tmp_path / "base"), tmp_path / "adapter")
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    whole = load_file(weights)
    for value, match in ((1e9, "does not fit into float16"), (float("nan"), "no finite numbers")):
        save_file({name: tensor * value for name, tensor in whole.items()}, weights, metadata={"format": "pt"})
        (tmp_path / str(value)).mkdir()
        model = base.map_model(str(tmp_path / "base"))
        with pytest.raises(TrainingError, match=match):
            merging.merge(model, tmp_path / "adapter", tmp_path / str(value), dtype=torch.float16, size=10**9)


@pytest.mark.parametrize("double", [True, False])
def test_rounding_is_that_of_the_quantised_model(tmp_path: Path, double: bool) -> None:
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    how = Quantization(load_in_4bit=True, bnb_4bit_use_double_quant=double)
    make_base(tmp_path / "base")
    config = BitsAndBytesConfig(**how.model_dump(), bnb_4bit_compute_dtype=torch.float32)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32, quantization_config=config)
    wanted = loaded.dequantize().state_dict()
    model = base.map_model(str(tmp_path / "base"))
    names = merging.quantized_layers(model, how)
    assert "lm_head" not in names
    assert len(names) == 14
    for name in names:
        weight = model.get_submodule(name).weight.detach()
        assert torch.equal(merging.rounded(weight, merging.Rounding(how, torch.float32)), wanted[f"{name}.weight"])
        assert not torch.equal(weight.float(), wanted[f"{name}.weight"])
