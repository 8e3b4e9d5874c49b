"""Which form is shipped, that an adapter persona is the model as trained, and what a merge leaves behind."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bot.engine.model import load as load_model
from bot.persona.manifest import Model, open_persona
from config.errors import TrainingError
from config.settings import ROOT, Engine, Merge, Score, Train
from tests.training.test_sft import QUICK
from training import forms, merge, plan, sampling_fit, sft
from training.forms import Run
from training.score import score

SIZES = plan.Sizes(8_000_000_000, 7_000_000_000, 40_000_000, 36, 4096, 1024, 12288, 151_936)


@pytest.fixture(scope="module")
def trained(toy: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forms")
    shutil.copytree(toy, folder / "models" / "Invented-1B")
    (folder / "models" / "Invented-1B" / "README.md").write_text("---\nlicense: apache-2.0\n---\n# a base\n")
    made = {**QUICK, "max_steps": 4, "base_model": str(folder / "models" / "Invented-1B"), "load_in_4bit": True}
    sft.main(Train(**made, data=data, runs=folder / "runs", name="tree"))
    return folder / "runs" / "tree"


@pytest.mark.parametrize(
    ("given", "quantised", "fits", "forms_"),
    [
        ({}, False, True, ["original"]),
        ({}, True, True, ["dequant", "original"]),
        ({}, True, False, ["adapter", "dequant", "original"]),
        ({}, False, False, ["adapter", "original"]),
        ({"weights": "merged", "way": "original"}, True, False, ["original"]),
        ({"weights": "adapter"}, True, True, ["adapter"]),
    ],
)
def test_what_comes_into_question(given: dict[str, Any], quantised: bool, fits: bool, forms_: list[str]) -> None:
    run = Run(Path("run"), {}, Train(load_in_4bit=quantised))
    assert forms.candidates(Merge(**given), run, fits=fits) == forms_
    if not quantised:
        with pytest.raises(TrainingError, match="not quantised"):
            forms.candidates(Merge(way="dequant"), run, fits=fits)


def test_an_8b_fits_24_gib_and_not_12() -> None:
    assert forms.fits_card(SIZES, 2048, 24.0)
    assert not forms.fits_card(SIZES, 2048, 12.0)


def test_where_16_bit_does_not_fit_the_better_as_served_is_shipped(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(sampling_fit, "LEAST", 2)
    monkeypatch.setattr(sampling_fit, "GRID", (("temperature", (0.4, 1.3)), ("repetition_penalty", (1.05,))))
    merge.main(Merge(run=trained, personas=tmp_path / "personas", data=data, card_memory=0.001, as_json=True))
    folder, persona = open_persona(tmp_path / "personas" / "tree")
    origin = persona.provenance
    assert origin.served == "4 bit"
    assert {name for name in origin.losses if name.startswith("served_")} == {
        "served_adapter", "served_dequant", "served_original",
    }  # fmt: skip
    assert origin.form == "adapter"
    assert persona.generation.temperature in (0.4, 1.3)
    assert (persona.generation.repetition_penalty, persona.generation.min_p) == (1.05, 0.0)
    assert origin.sampling["settings"] == 3
    assert {"distance", "tokens", "bubbles", "distinct", "repeats", "nats"} < set(origin.sampling)
    assert (persona.model.weights, persona.model.license) == ("adapter", "apache-2.0")
    assert persona.model.quantization is not None
    assert persona.model.quantization.load_in_4bit
    assert not list(folder.glob("*.safetensors"))
    assert not list(folder.parent.glob(".*"))
    text = "".join(p.read_text(encoding="utf-8") for p in folder.rglob("*") if p.suffix in (".json", ".md", ".jinja"))
    assert str(trained.parent.parent) not in text.replace(persona.model.folder, "")

    served = load_model(folder, persona, Engine(device="cpu"))
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    as_trained = AutoModelForCausalLM.from_pretrained(
        trained.parent.parent / "models" / "Invented-1B", dtype=torch.float32, quantization_config=config
    )
    as_trained = PeftModel.from_pretrained(as_trained, trained / "adapter").eval()
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        assert torch.equal(served.model(ids).logits, as_trained(ids).logits)
    scored = score(folder, Score(data=data, generations=2, device="cpu"))
    assert scored["loss"] == pytest.approx(origin.losses["served_adapter"], abs=1e-4)


def test_a_merged_persona_is_scored_as_it_is_served(trained: Path, data: Path, tmp_path: Path) -> None:
    from transformers import GenerationConfig

    merge.main(
        Merge(run=trained, personas=tmp_path, data=data, way="dequant", temperature=0.5, min_p=0.1, dtype="float16",
              rows=5, as_json=True)
    )  # fmt: skip
    folder, persona = open_persona(tmp_path / "tree")
    assert persona.provenance.form == "dequant"
    assert persona.provenance.merge_error is not None
    assert persona.provenance.merge_error < 0.005
    config = GenerationConfig.from_pretrained(folder)
    assert (config.temperature, config.min_p, config.do_sample, config.top_k) == (0.5, 0.1, True, 0)
    assert persona.generation.min_p == 0.1
    assert config.eos_token_id
    assert sorted(p.name for p in (folder / "adapter").iterdir() if "adapter" in p.name) == [
        "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "README.md" in persona.files
    assert "base_model" not in card.split("---")[1]
    assert "license: apache-2.0" in card
    assert "vllm serve . --served-model-name tree" in card
    whole, quarter = (
        score(folder, Score(data=data, generations=0, device="cpu", load_in_4bit=bits))["loss"]
        for bits in (False, True)
    )
    assert whole != quarter
    assert whole == pytest.approx(quarter, rel=0.05)


def test_what_is_not_there_is_said_before_anything_is_begun(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrainingError, match="GiB of memory"):
        merge.main(Merge(run=trained, personas=tmp_path, data=data, max_memory=0.5))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))  # pyright: ignore
    with pytest.raises(TrainingError, match="GB of disk"):
        merge.main(Merge(run=trained, personas=tmp_path, data=data))
    assert not list((tmp_path / "tree").glob("*")) if (tmp_path / "tree").exists() else True


def test_a_killed_merge_leaves_no_persona_and_the_next_clears_up(trained: Path, data: Path, tmp_path: Path) -> None:
    line = [
        sys.executable,
        str(ROOT / "mybot.py"),
        "merge",
        str(trained),
        "--personas",
        str(tmp_path),
        "--data",
        str(data),
    ]
    target = tmp_path / "tree"
    process = subprocess.Popen(line, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 200
    while not list(target.glob(f".{process.pid}.part/*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    assert process.wait(timeout=60) != 0
    assert [path.name for path in target.iterdir()] == [f".{process.pid}.part"]
    merge._sweep(target)
    assert not list(target.iterdir())


def test_an_older_run_is_read(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "old")
    told = json.loads((trained / "run.json").read_bytes())
    told["recipe"]["a_knob_that_is_gone"] = 1
    del told["cost"]
    (tmp_path / "old" / "run.json").write_text(json.dumps(told))
    run = Run.read(tmp_path / "old")
    assert run.train.load_in_4bit
    assert merge._draft(Merge(run=run.path), run, Model(base="toy")).provenance.cost == {}
