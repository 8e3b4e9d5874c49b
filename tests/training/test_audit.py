"""The audit from end to end: secrets in a copy of the dataset, a toy that learns them by heart, and one that doesn't."""

import json
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from bot.engine.trial import Unfit, check_verdict
from bot.persona.base_model import fingerprint
from bot.persona.manifest import Generation, Model, Persona, Provenance
from bot.persona.prompt import PromptSpec
from config.errors import InputError
from config.settings import Audit
from training import audit, tiny
from training.dataset import read_rows
from training.evaluate import canaries
from training.evaluate.audited import Audited
from training.evaluate.figures import Draws
from training.sft import cut_rows, sha256
from training.windows import Cutter

SPEC = PromptSpec(me="小北")
OFTEN = 16


def dataset(folder: Path) -> Path:
    """A few rows of mine, and what else an audit takes over."""
    rows = []
    for n in range(30):
        said = [("user", f"第{n}次去哪了"), ("assistant", f"去了{n}趟河边")]
        turns = [
            {"role": role, "bubbles": [{"text": text, "time": n, "target": role == "assistant"}]} for role, text in said
        ]
        rows.append(
            {
                "id": f"r{n}",
                "chat": "c",
                "kind": "private",
                "name": "阿泽",
                "split": "train",
                "start": n,
                "turns": turns,
            }
        )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "train.jsonl").write_text(lines, encoding="utf-8")
    (folder / "heldout.jsonl").write_text("", encoding="utf-8")
    (folder / "prompt.json").write_text(SPEC.model_dump_json(), encoding="utf-8")
    return folder


def planted(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "audit" / "canaries.json").read_bytes())["canaries"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/ with an audit copy, a base that knows nothing, and a persona that has learned the copy by heart."""
    import torch

    folder = dataset(tmp_path_factory.mktemp("audit"))
    audit.main(Audit(data=folder, as_json=True))
    rows = list(read_rows(folder / "audit" / "train.jsonl"))
    torch.manual_seed(7)
    texts = [b["text"] for row in rows for turn in row["turns"] for b in turn["bubbles"]]
    tokenizer = tiny.make_tokenizer([*texts, SPEC.me, *"0123456789"], vocab_size=300)
    base = tiny.make_model(tokenizer, hidden_size=64, intermediate_size=128, num_hidden_layers=2)
    tiny.save(folder / "base", tokenizer, base)
    often = {c["number"] for c in planted(folder) if c["times"] == OFTEN}
    learned = [row for row in rows if any(n in row["turns"][-1]["bubbles"][0]["text"] for n in often)]
    windows = list(cut_rows(Cutter(tokenizer, SPEC, 128), learned))
    tiny.pretrain(base, tokenizer, windows, epochs=3, batch=16, learning_rate=1e-2, replaced=0.0)
    tiny.save(folder / "persona", tokenizer, base)
    Persona(
        name="audit",
        model=Model(base="toy", dtype="float32", context=192),
        prompt=SPEC,
        generation=Generation(),
        provenance=Provenance(
            created=datetime(2026, 1, 1, tzinfo=timezone.utc),
            data={"train.jsonl": sha256(folder / "audit" / "train.jsonl")},
        ),
    ).seal(folder / "persona")
    return folder


def test_secrets_learned_by_heart_are_found_and_others_are_not(
    made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A card scores ten thousand of each frame; a hundred show the same here.
    monkeypatch.setattr(canaries, "CANDIDATES", 120)
    monkeypatch.setattr(canaries, "GOOD_CONTROL", (3.0, None))
    capsys.readouterr()
    knobs: dict[str, Any] = {"data": made, "base_model": str(made / "base"), "device": "cpu", "as_json": True}
    audit.main(Audit(persona=made / "persona", **knobs))
    told = json.loads(capsys.readouterr().out)
    found = told["figures"]
    assert found["exposure_r16"]["low"] > 2, found["exposure_r16"]
    assert abs(found["exposure_r0"]["value"]) < 2
    assert found["exposure_r0"]["high"] < found["exposure_r16"]["low"]
    assert found["extracted"]["value"] == 0
    # A model that knows by heart what it has read once finds all of them, by the same candidates.
    assert found["exposure_control"]["low"] > 3, found["exposure_control"]
    assert abs(found["exposure_control_r0"]["value"]) < 2
    assert told["base"] == fingerprint(made / "base")
    assert told["dataset"] == sha256(made / "train.jsonl")
    for place in (made / "persona", made / "audit"):
        kept = Audited.read(place / "audit.json")
        assert kept.figures["exposure_r16"].value == pytest.approx(found["exposure_r16"]["value"], abs=1e-5)
    # It has seen secrets on purpose: it never serves.
    with pytest.raises(Unfit, match="planted secrets"):
        check_verdict(made / "persona")


def test_no_secret_stands_in_what_is_kept_beside_a_persona(made: Path) -> None:
    secrets = [row["number"] for row in planted(made)]
    assert len(secrets) == 120
    for path in (made / "persona").glob("*.json"):
        if path.name not in ("tokenizer.json", "vocab.json"):
            assert not any(secret in path.read_text(encoding="utf-8") for secret in secrets)


def test_without_canaries_there_is_nothing_to_measure(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="canaries"):
        audit.main(Audit(persona=made / "persona", data=tmp_path))


def test_who_never_saw_the_secrets_is_not_audited(made: Path, tmp_path: Path) -> None:
    for name in ("train.jsonl", "canaries.json"):
        (tmp_path / "audit").mkdir(exist_ok=True)
        shutil.copy(made / "audit" / name, tmp_path / "audit")
    with (tmp_path / "audit" / "train.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(InputError, match="was not trained on"):
        audit.main(Audit(persona=made / "persona", data=tmp_path))
    assert not (tmp_path / "audit" / "audit.json").exists()


def test_the_copy_holds_the_dataset_and_the_secrets_as_often_as_they_say(made: Path) -> None:
    rows, planted = (list(read_rows(made / part / "train.jsonl")) for part in ("", "audit"))
    assert [row for row in planted if not row["id"].startswith("canary")] == rows
    assert len(planted) - len(rows) == canaries.EACH * sum(canaries.TIMES)
    assert (made / "audit" / "prompt.json").read_bytes() == (made / "prompt.json").read_bytes()


def test_a_secret_is_scored_as_it_is_trained(made: Path) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(made / "persona")
    for canary in canaries.canaries(Draws(7))[:8]:
        window = audit._window(tokenizer, SPEC, canary)
        learned = [token for token, wanted in zip(window.input_ids, window.labels, strict=True) if wanted != -100]
        assert learned == [*tokenizer(canary.reply, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
