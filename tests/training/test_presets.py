"""Every preset: whole, plans into its card, and after one step every value of its file is the one in force."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from config.errors import SettingsError, TrainingError
from config.settings import Train, knobs as knobs_of
from config.table import tomllib
from tests.training.bases import REAL, real_config, tiny_base
from training import base, plan, recipe, running
from training.batching import tokens_an_update
from training.checkpoints import Best
from training.dataset import read_rows
from training.recipe import PRESETS, resolve
from training.sft import cut_rows
from training.windows import IGNORE, Cutter

NAMES = sorted(path.stem for path in PRESETS.glob("*.toml"))
OPEN = {
    "preset", "revision", "data", "continue_from", "name", "runs", "num_processes", "fresh", "max_minutes",
    "eval_windows", "samples", "sample_prompts", "json",
}  # fmt: skip
"""Knobs of [train] that are no part of a recipe: where things lie, how one run is begun, ended and looked at."""


def written(name: str) -> dict[str, Any]:
    return tomllib.loads((PRESETS / f"{name}.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_a_whole_file(name: str) -> None:
    assert set(knobs_of(Train)) - OPEN <= set(written(name))
    assert {knob: getattr(resolve(Train(preset=name)), knob) for knob in written(name)} == written(name)


@cache
def sizes(base_model: str, r: int) -> plan.Sizes:
    return plan.measure(real_config(base_model), Train(r=r))


@pytest.mark.parametrize("name", [name for name in NAMES if re.search(r"-\d+g$", name)])
def test_a_preset_fits_the_card_it_is_for_beside_a_desktop(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    size = int(name.rsplit("-", 1)[1][:-1])
    # What Windows, a browser and WSL's own reserve take; cards from 48 GB on have no screen.
    free = size - 1.5 if size < 48 else size * 0.97
    knobs = resolve(Train(preset=name))
    assert knobs.max_memory in (0, free)
    knobs = resolve(Train(preset=name, max_memory=free))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert plan.card(knobs)[0] == free
    parts = plan.memory(sizes(knobs.base_model, knobs.r), knobs)
    # Half of the card and more is used: a smaller base model would be for a smaller card.
    assert free * 0.45 < sum(parts.values()) <= free


def test_the_original_fits_its_card() -> None:
    knobs = resolve(Train(preset="original-13b-v100"))
    measured = plan.measure(real_config(knobs.base_model), knobs)
    assert measured.adapter == 52_428_800
    assert sum(plan.memory(measured, knobs).values()) < 32


@dataclass
class Begun(TrainerCallback):
    """A preset's run that ends after one optimiser step; then everything is read back.

    Not later: on the CPU an evaluation repacks the quantised weights.
    """

    preset: str
    knobs: Train
    windows: list[Any]
    trainer: Any = None
    read: dict[str, Any] = field(default_factory=dict)
    loss: float = float("nan")

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        assert state.global_step == 1
        control.should_training_stop = True
        wanted = written(self.preset).keys() - ELSEWHERE
        if not self.knobs.load_in_4bit:
            wanted = {knob for knob in wanted if not knob.startswith("bnb_4bit")}
        self.read = {knob: IN_FORCE[knob](self) for knob in wanted}

    def layers(self, kind: type) -> dict[str, Any]:
        return {name: module for name, module in self.trainer.model.named_modules() if isinstance(module, kind)}

    @property
    def adapters(self) -> dict[str, Any]:
        from peft.tuners.lora import LoraLayer

        return self.layers(LoraLayer)

    @property
    def trained(self) -> list[str]:
        return [name for name, weights in self.trainer.model.named_parameters() if weights.requires_grad]

    @property
    def peft(self) -> Any:
        return self.trainer.model.peft_config["default"]

    def only(self, values: Any) -> Any:
        """The one value that all of them have."""
        (value,) = set(values)
        return value


@pytest.fixture(scope="module")
def bases(toy: Path, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("bases")

    def find(preset: str) -> Path:
        architecture = REAL[written(preset)["base_model"]]["model_type"] if preset != "tiny-cpu" else "llama"
        if architecture == "llama":
            return toy
        path = folder / architecture
        return path if path.is_dir() else tiny_base(path, architecture, tokenizer)

    return find


@pytest.fixture(scope="module", params=NAMES)
def begun(request: pytest.FixtureRequest, bases: Any, data: Path, spec: Any, tmp_path_factory: Any) -> Any:
    """The preset on a tiny model of its base's architecture, after one optimiser step."""
    # The tracker is an extra package, and no number may leave a test.
    knobs = resolve(
        Train(preset=request.param, base_model=str(bases(request.param)), report_to="none", data=data, samples=False)
    )
    if knobs.optim == "paged_adamw_8bit":
        # Pages are the card's; bitsandbytes says so with a warning.
        knobs = knobs.model_copy(update={"optim": "adamw_8bit"})
    tokenizer = base.load_tokenizer(knobs.base_model)
    cutter = Cutter(tokenizer, spec, knobs.max_length, loss_on=knobs.loss_on)
    windows = list(cut_rows(cutter, read_rows(data / "train.jsonl")))
    begun, build = Begun(request.param, knobs, windows), running._trainer

    def watched(*args: Any, **kwargs: Any) -> Any:
        begun.trainer = build(*args, **kwargs)
        begun.trainer.add_callback(begun)
        return begun.trainer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_trainer", watched)
        run = tmp_path_factory.mktemp("runs") / "me"
        begun.loss = running.train(knobs, tokenizer, windows, windows[:1], run, {}).losses["heldout_loss"]
    return begun


def scheduler(begun: Begun) -> str:
    return begun.trainer.lr_scheduler.lr_lambdas[0].func.__name__.removeprefix("_get_").split("_schedule")[0]


def targets(begun: Begun) -> str:
    """all-linear where every linear layer but the head has an adapter, else the names that have one."""
    model = begun.trainer.model
    head = model.get_output_embeddings()
    inside = {id(m) for layer in begun.adapters.values() for m in layer.modules() if m is not layer.base_layer}
    linear = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head and id(m) not in inside]
    assert not any("visual" in name for name in begun.adapters)
    if {id(layer.base_layer) for layer in begun.adapters.values()} == {id(m) for m in linear}:
        return "all-linear"
    return ",".join(sorted({name.rsplit(".", 1)[-1] for name in begun.adapters}))


def loss_on(begun: Begun) -> str:
    every = all(window.labels[1:] == window.input_ids[1:] for window in begun.windows)
    some = all(any(label == IGNORE for label in window.labels) for window in begun.windows)
    return "all" if every else "mine" if some else "?"


def quantised(begun: Begun) -> dict[str, Any]:
    from bitsandbytes.nn import Linear4bit

    return begun.layers(Linear4bit)


def in_8bit(begun: Begun) -> bool:
    from bitsandbytes.nn import Linear8bitLt

    return bool(begun.layers(Linear8bitLt))


def batching(begun: Begun) -> str:
    trainer = begun.trainer
    if trainer.batching == "padded":
        assert type(trainer._get_train_sampler()).__name__ == "RandomSampler"
        return "padded"
    # Without a card that has the kernel, auto is grouped.
    return "auto" if trainer.batching == "grouped" and trainer.updates else "?"


def accumulation(begun: Begun) -> int:
    """Trainer's own batches are added up by it; elsewhere a batch is the whole update, of so many full windows."""
    trainer, written_down = begun.trainer, begun.knobs.gradient_accumulation_steps
    if trainer.updates is None:
        return trainer.args.gradient_accumulation_steps
    lengths = [len(window.input_ids) for window in begun.windows]
    rows = trainer.limit // trainer.args.max_length * written_down
    update = tokens_an_update(lengths, rows, trainer.args.max_length)
    return written_down if trainer.updates.tokens == update and trainer.args.gradient_accumulation_steps == 1 else 0


IN_FORCE: dict[str, Callable[[Begun], Any]] = {
    "loss_on": loss_on,
    "load_in_4bit": lambda b: bool(quantised(b)),
    "load_in_8bit": in_8bit,
    "bnb_4bit_quant_type": lambda b: b.only(layer.weight.quant_type for layer in quantised(b).values()),
    "bnb_4bit_use_double_quant": lambda b: b.only(layer.weight.quant_state.nested for layer in quantised(b).values()),
    "attn_implementation": lambda b: {"sdpa": "auto"}[b.trainer.model.config._attn_implementation],
    "r": lambda b: b.only(layer.r["default"] for layer in b.adapters.values()),
    "lora_alpha": lambda b: b.only(layer.scaling["default"] * layer.r["default"] for layer in b.adapters.values()),
    "lora_dropout": lambda b: b.only(getattr(x.lora_dropout["default"], "p", 0.0) for x in b.adapters.values()),
    "bias": lambda b: "none" if all(".lora_" in name for name in b.trained) else "?",
    "target_modules": targets,
    "modules_to_save": lambda b: ",".join(b.peft.modules_to_save or []),
    "layers_to_transform": lambda b: ",".join(map(str, b.peft.layers_to_transform or [])),
    "use_dora": lambda b: b.only(layer.use_dora["default"] for layer in b.adapters.values()),
    "use_rslora": lambda b: b.peft.use_rslora,
    "init_lora_weights": lambda b: str(b.peft.init_lora_weights).lower(),
    "max_length": lambda b: b.trainer.args.max_length,
    "per_device_train_batch_size": lambda b: b.only(
        [b.trainer._train_batch_size, b.trainer.limit // b.knobs.max_length]
    ),
    "gradient_accumulation_steps": accumulation,
    "batching": batching,
    "gradient_checkpointing": lambda b: "on" if b.trainer.model.is_gradient_checkpointing else "off",
    "learning_rate": lambda b: b.only(group["initial_lr"] for group in b.trainer.optimizer.param_groups),
    "lr_scheduler_type": scheduler,
    "warmup_steps": lambda b: b.trainer.args.warmup_steps,
    "num_train_epochs": lambda b: b.trainer.args.num_train_epochs,
    "max_steps": lambda b: b.trainer.args.max_steps,
    "max_grad_norm": lambda b: b.trainer.args.max_grad_norm,
    "weight_decay": lambda b: b.only(group["weight_decay"] for group in b.trainer.optimizer.param_groups),
    "neftune_noise_alpha": lambda b: b.trainer.neftune_noise_alpha or 0.0,
    "eval_strategy": lambda b: b.trainer.args.eval_strategy,
    "early_stopping_patience": lambda b: b.only(
        callback._patience for callback in b.trainer.callback_handler.callbacks if isinstance(callback, Best)
    ),
    "save_steps": lambda b: b.trainer.args.save_steps,
    "logging_steps": lambda b: b.trainer.args.logging_steps,
    "seed": lambda b: b.trainer.args.seed,
}
"""Where each knob of a preset is read back from: the trainer, the quantised layers, the adapter."""

ELSEWHERE = {"base_model", "dtype", "optim", "report_to", "max_memory"}
"""Read back by tests of their own: they depend on the card, or on what is installed."""


def test_every_value_is_the_one_in_force(begun: Begun) -> None:
    assert len(begun.read) > 30
    assert begun.read == {knob: written(begun.preset)[knob] for knob in begun.read}
    assert all(len(window.input_ids) <= begun.knobs.max_length for window in begun.windows)
    assert begun.loss < 10


def test_layers_and_adapters_have_the_dtypes_of_the_recipe(begun: Begun) -> None:
    for layer in quantised(begun).values():
        assert layer.compute_dtype is recipe.compute_dtype(begun.knobs)
        assert layer.weight.quant_state.blocksize == 64
    for layer in begun.adapters.values():
        assert layer.lora_A["default"].weight.dtype == torch.float32
    assert begun.trainer.args.fp16 == (begun.preset == "original-13b-v100")
    assert not begun.trainer.args.bf16


def test_the_optimiser_is_as_written(begun: Begun) -> None:
    import bitsandbytes

    kind = type(begun.trainer.optimizer.optimizer)
    eight = written(begun.preset)["optim"] == "paged_adamw_8bit"
    assert kind is (bitsandbytes.optim.AdamW if eight else torch.optim.AdamW)


def test_the_original_is_the_notebooks() -> None:
    """The document's own numbers once more, so that a change of the file is noticed as well."""
    wanted = {
        "load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "dtype": "float16",
        "r": 64, "lora_alpha": 16, "lora_dropout": 0.1, "bias": "none", "target_modules": "q_proj,v_proj",
        "per_device_train_batch_size": 4, "gradient_accumulation_steps": 4, "learning_rate": 2e-4,
        "max_steps": 100, "logging_steps": 10, "max_length": 512, "lr_scheduler_type": "linear",
        "warmup_steps": 0.0, "seed": 42, "optim": "adamw_torch", "gradient_checkpointing": "off", "loss_on": "all",
        "base_model": "RicardoLee/Llama2-chat-13B-Chinese-50W", "report_to": "wandb",
    }  # fmt: skip
    assert {knob: written("original-13b-v100")[knob] for knob in wanted} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_as_written_or_that_of_the_card(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    knobs = resolve(Train(preset=name))
    asked = getattr(torch, knobs.dtype, None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    # A card that only emulates bfloat16 gets float16.
    assert recipe.compute_dtype(knobs) is (asked or torch.float16)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert recipe.compute_dtype(knobs) is (asked or torch.bfloat16)
    quantization = recipe.quantization(knobs)
    if knobs.load_in_4bit:
        assert quantization is not None
        assert quantization.bnb_4bit_compute_dtype is recipe.compute_dtype(knobs)


def test_the_notebooks_tracker_is_asked_for_by_name(toy: Path, tmp_path: Path) -> None:
    from importlib.util import find_spec

    knobs = resolve(Train(preset="original-13b-v100", base_model=str(toy)))
    assert knobs.report_to == "wandb"
    if find_spec("wandb") is None:
        with pytest.raises(TrainingError, match="wandb"):
            recipe.sft_config(knobs, tmp_path, evaluate=False)


def test_what_was_set_wins_over_a_preset() -> None:
    assert resolve(Train(preset="original-13b-v100", max_steps=7)).max_steps == 7
    with pytest.raises(SettingsError, match="no preset"):
        resolve(Train(preset="none"))
