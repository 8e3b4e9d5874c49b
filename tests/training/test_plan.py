"""`mybot plan` from nothing but a config.json of real architectures."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.errors import TrainingError
from config.settings import Train
from training import plan


def config_of(folder: Path, kind: str) -> Path:
    """The config.json of Qwen3-8B or Llama2-13B, and nothing else."""
    from transformers import LlamaConfig, Qwen3Config

    if kind == "8b":
        config: Any = Qwen3Config(
            hidden_size=4096, intermediate_size=12288, num_hidden_layers=36, num_attention_heads=32,
            num_key_value_heads=8, head_dim=128, vocab_size=151936, tie_word_embeddings=False,
            architectures=["Qwen3ForCausalLM"],
        )  # fmt: skip
    else:
        config = LlamaConfig(
            hidden_size=5120, intermediate_size=13824, num_hidden_layers=40, num_attention_heads=40,
            vocab_size=32000, architectures=["LlamaForCausalLM"],
        )  # fmt: skip
    config.save_pretrained(folder / kind)
    return folder / kind


def planned(capsys: pytest.CaptureFixture[str], **knobs: Any) -> dict[str, Any]:
    plan.main(Train(as_json=True, **knobs))
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("kind", "r", "expected"), [("8b", 16, 7.6), ("8b", 64, 9.0), ("13b", 16, 8.8), ("13b", 64, 10.9)]
)
def test_the_sum_is_that_of_the_published_table(tmp_path: Path, kind: str, r: int, expected: float) -> None:
    """GiB at 2,048 tokens in nf4 without CUDA and fragmentation; the table has adapters in 16 bit with Adam's
    moments in 32 (12 bytes a parameter), ours are in 32 bit with moments in 8 (10 bytes)."""
    knobs = Train(base_model=str(config_of(tmp_path, kind)), load_in_4bit=True, r=r, per_device_train_batch_size=1)
    sizes = plan.measure(plan.base.load_config(knobs.base_model), knobs)
    parts = plan.memory(sizes, knobs)
    without = sum(size for part, size in parts.items() if part not in ("fragmentation", "CUDA"))
    assert without + sizes.adapter * 2 / plan.GIB == pytest.approx(expected, rel=0.05)


def test_what_fits_and_what_to_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = str(config_of(tmp_path, "13b"))
    original = planned(capsys, preset="original-13b-v100", base_model=base, report_to="none", max_memory=31)
    assert original["verdict"] == "it fits"
    assert original["trained_parameters"] == 52_428_800
    small = planned(capsys, preset="original-13b-v100", base_model=base, report_to="none", max_memory=10)
    assert small["verdict"] == "it does not fit"
    assert small["what_to_change"][0] == "--gradient-checkpointing on"
    assert "--per-device-train-batch-size 1 --gradient-accumulation-steps 16" in small["what_to_change"]
    none = planned(capsys, preset="original-13b-v100", base_model=base, report_to="none", max_memory=4)
    assert "smaller base model" in none["what_to_change"][-1]
    assert "smallest card" in planned(capsys, base_model=base, load_in_4bit=True)["verdict"]


def test_the_changes_do_make_it_fit(tmp_path: Path) -> None:
    base = str(config_of(tmp_path, "8b"))
    knobs = Train(base_model=base, gradient_checkpointing="off", optim="adamw_torch", r=64)
    config = plan.base.load_config(base)
    said = plan.advice(plan.measure(config, knobs), config, knobs, 10.0)
    changed: dict[str, Any] = {}
    for flag, change in plan._ladder(knobs):
        if flag in said:
            changed |= change
    after = knobs.model_copy(update=changed)
    assert sum(plan.memory(plan.measure(config, after), after).values()) <= 10.0
    before = sum(plan.memory(plan.measure(config, knobs), knobs).values())
    assert before > 10.0


def test_time_needs_a_dataset_and_a_base_that_is_there(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = str(config_of(tmp_path, "8b"))
    assert "unknown" in planned(capsys, base_model=base, data=tmp_path)["time"]
    once, thrice = (planned(capsys, base_model=base, data=data, num_train_epochs=n)["time"] for n in (1, 3))
    tokens = [int("".join(filter(str.isdigit, told.split("tokens")[0]))) for told in (once, thrice)]
    assert tokens[1] == pytest.approx(3 * tokens[0], rel=0.01)
    with pytest.raises(TrainingError, match="no base model"):
        plan.main(Train(base_model=str(tmp_path / "none")))
