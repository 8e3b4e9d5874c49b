"""The 2023 notebook's recipe, every value read back from what is in force after one step."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from config.errors import TrainingError
from config.settings import Train
from training import base, recipe, running
from training.dataset import read_rows
from training.recipe import resolve
from training.sft import cut_rows
from training.windows import Cutter


class OneStep(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_training_stop = True


@pytest.fixture(scope="module", params=["original-13b-v100", "8b-24g"])
def begun(request: pytest.FixtureRequest, toy: Path, data: Path, spec: Any, tmp_path_factory: Any) -> Any:
    """The preset on a toy of the same architecture, after one optimiser step: knobs, trainer, windows."""
    # The tracker is an extra package, and no number may leave a test.
    knobs = resolve(Train(preset=request.param, base_model=str(toy), report_to="none"))
    if knobs.optim == "paged_adamw_8bit":
        # Pages are the card's; bitsandbytes says so with a warning.
        knobs = knobs.model_copy(update={"optim": "adamw_8bit"})
    tokenizer = base.load_tokenizer(str(toy))
    cutter = Cutter(tokenizer, spec, knobs.max_length, loss_on=knobs.loss_on)
    windows = list(cut_rows(cutter, read_rows(data / "train.jsonl")))
    trainer = running._trainer(knobs, tokenizer, windows, [], tmp_path_factory.mktemp("run"), [OneStep()])
    trainer.train()
    assert trainer.state.global_step == 1
    return request.param, knobs, trainer, windows


def layers(trainer: Any, kind: type) -> dict[str, Any]:
    return {name: module for name, module in trainer.model.named_modules() if isinstance(module, kind)}


def test_the_base_is_quantised_as_written(begun: Any) -> None:
    from bitsandbytes.nn import Linear4bit

    _, knobs, trainer, _ = begun
    quantised = layers(trainer, Linear4bit)
    assert {name.rsplit(".", 2)[-2 if name.endswith("base_layer") else -1] for name in quantised} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip
    for layer in quantised.values():
        assert layer.compute_dtype is recipe.compute_dtype(knobs)
        assert layer.weight.quant_type == "nf4"
        assert layer.weight.quant_state.nested
        assert layer.weight.quant_state.blocksize == 64


def test_the_adapter_is_as_written(begun: Any) -> None:
    from peft.tuners.lora import LoraLayer

    preset, _, trainer, _ = begun
    adapters = layers(trainer, LoraLayer)
    names = {name.rsplit(".", 1)[-1] for name in adapters}
    original = preset == "original-13b-v100"
    assert names == ({"q_proj", "v_proj"} if original else {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    })  # fmt: skip
    for layer in adapters.values():
        assert layer.r["default"] == (64 if original else 16)
        assert layer.scaling["default"] == (0.25 if original else 2.0)
        assert getattr(layer.lora_dropout["default"], "p", 0.0) == (0.1 if original else 0.0)
        assert layer.lora_A["default"].bias is None
        assert layer.lora_A["default"].weight.dtype == torch.float32
    trained = {name for name, p in trainer.model.named_parameters() if p.requires_grad}
    assert all("lora_" in name for name in trained)


def test_the_trainer_runs_as_written(begun: Any) -> None:
    preset, _, trainer, windows = begun
    args = trainer.args
    if preset == "original-13b-v100":
        wanted = {
            "per_device_train_batch_size": 4, "gradient_accumulation_steps": 4, "learning_rate": 2e-4,
            "max_steps": 100, "logging_steps": 10, "max_length": 512, "lr_scheduler_type": "linear",
            "warmup_steps": 0.0, "seed": 42, "optim": "adamw_torch", "gradient_checkpointing": False,
        }  # fmt: skip
        assert trainer.lr_scheduler.get_last_lr()[0] == pytest.approx(2e-4 * 0.99)
        assert type(trainer.optimizer.optimizer) is torch.optim.AdamW
        assert all(window.labels[1:] == window.input_ids[1:] for window in windows)
    else:
        wanted = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "learning_rate": 2e-4,
                  "max_length": 2048, "lr_scheduler_type": "cosine", "num_train_epochs": 3}  # fmt: skip
        assert any(-100 in window.labels for window in windows)
    assert {name: getattr(args, name) for name in wanted} == wanted
    assert trainer.train_dataset[0].keys() == {"input_ids", "labels"}


def test_half_precision_is_as_written_or_that_of_the_card(begun: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    preset, knobs, trainer, _ = begun
    assert trainer.args.fp16 == (preset == "original-13b-v100")
    assert not trainer.args.bf16
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    quantization = recipe.quantization(knobs)
    assert quantization is not None
    # A card that only emulates bfloat16 gets float16 from both.
    assert quantization.bnb_4bit_compute_dtype is torch.float16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    modern = torch.float16 if preset == "original-13b-v100" else torch.bfloat16
    assert recipe.compute_dtype(knobs) is modern


def test_the_notebooks_tracker_is_asked_for_by_name(toy: Path, tmp_path: Path) -> None:
    from importlib.util import find_spec

    knobs = resolve(Train(preset="original-13b-v100", base_model=str(toy)))
    assert knobs.report_to == "wandb"
    if find_spec("wandb") is None:
        with pytest.raises(TrainingError, match="wandb"):
            recipe.sft_config(knobs, tmp_path, evaluate=False)
