"""`mybot pull` against real HTTP servers of ours that speak as the hub does and as ModelScope does."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants, try_to_load_from_cache

from config.errors import TrainingError, UsageError
from config.settings import ROOT, Pull, Train
from tests.training.hub_server import COMMIT, TOKEN, Server
from training import adapters, base, pull, recipe
from training.fetched import fetched, is_whole

WEIGHTS = os.urandom(300_000)
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"{}",
    "model.safetensors.index.json": json.dumps(
        {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    ).encode(),
    "model-00001-of-00002.safetensors": WEIGHTS,
    "model-00002-of-00002.safetensors": WEIGHTS[::-1],
    "LICENSE": b"Apache-2.0",
    "README.md": b"---\nlicense: apache-2.0\n---\n",
    "pytorch_model.bin": b"a pickle",
    "pytorch_model.bin.index.json": b"{}",
    "consolidated.safetensors": b"once more",
    "toy.Q4_K_M.gguf": b"and once more",
    "onnx/model.onnx": b"and more",
    "original/consolidated.00.pth": b"and more",
    "training_args.bin": b"a pickle",
}
WANTED = {name for name in FILES if name.startswith(("config", "token", "model")) or name in ("LICENSE", "README.md")}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(dict(FILES)) as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("training.download.TRIES", 3)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return tmp_path / "hub"


def fetch(server: Server, **knobs: Any) -> dict[str, bytes]:
    pull.main(Pull(**{"model": "owner/toy", "endpoint": server.url, "as_json": True, **knobs}))
    folder = fetched("owner/toy")
    assert folder is not None
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("source", ["hub", "modelscope"])
def test_a_model_is_fetched_once_and_only_what_is_needed(
    server: Server, source: str, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetched("owner/toy") is None
    assert fetch(server, source=source) == {name: FILES[name] for name in WANTED}
    told = json.loads(capsys.readouterr().out)
    assert told["bytes_fetched"] == sum(len(FILES[name]) for name in WANTED)
    assert base.source("owner/toy") == told["folder"]
    assert try_to_load_from_cache("owner/toy", "config.json", cache_dir=cache) == str(
        Path(told["folder"]) / "config.json"
    )
    assert sorted(path.name for path in (cache / "models--owner--toy").iterdir()) == [".pull.lock", "refs", "snapshots"]
    asked = len(server.asked)
    fetch(server, source=source)
    assert json.loads(capsys.readouterr().out)["bytes_fetched"] == 0
    assert len(server.asked) == asked == len(WANTED)


def test_a_connection_that_breaks_is_gone_on_with(server: Server) -> None:
    shard = "model-00001-of-00002.safetensors"
    server.broken[shard] = 2
    assert fetch(server)[shard] == WEIGHTS
    ranges = [asked for path, asked in server.asked if path == shard]
    assert ranges == ["", "bytes=150000-", "bytes=225000-"]


@pytest.mark.parametrize("source", ["hub", "modelscope"])
def test_kill_9_in_the_middle_loses_nothing(server: Server, source: str, tmp_path: Path) -> None:
    shard = "model-00002-of-00002.safetensors"
    server.slow = shard
    env = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": server.url, "MYBOT_PULL_TOKEN": TOKEN}
    where = ["--source", source] + (["--endpoint", server.url] if source == "modelscope" else [])
    line = [sys.executable, str(ROOT / "mybot.py"), "pull", "owner/toy", *where]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    part = next_part(tmp_path / "hub", process, server, shard)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert fetched("owner/toy") is None
    held = part.stat().st_size
    assert 0 < held <= len(WEIGHTS) // 2
    server.slow = ""
    assert fetch(server, source=source)[shard] == WEIGHTS[::-1]
    assert [asked for path, asked in server.asked if path == shard] == ["", f"bytes={held}-"]


def next_part(hub: Path, process: "subprocess.Popen[str]", server: Server, shard: str) -> Path:
    """The half-fetched shard, once something of it is on the disk."""
    assert server.began.wait(60), process.communicate()
    for _ in range(300):
        for path in hub.glob(f"models--owner--toy/.*.part/{shard}.part"):
            if path.stat().st_size:
                return path
        assert process.poll() is None
        time.sleep(0.02)
    raise AssertionError("nothing arrives")


def test_a_server_without_ranges_sends_the_file_again(server: Server) -> None:
    shard = "model-00001-of-00002.safetensors"
    server.ranges, server.broken[shard] = False, 1
    assert fetch(server)[shard] == WEIGHTS


def test_what_the_library_had_fetched_is_kept(server: Server, cache: Path) -> None:
    folder = cache / "models--owner--toy" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(FILES["config.json"])
    (folder.parent.parent / "refs").mkdir()
    (folder.parent.parent / "refs" / "main").write_text(COMMIT)
    assert not is_whole(folder)
    assert base.source("owner/toy") == "owner/toy"
    assert set(fetch(server)) == WANTED
    assert "config.json" not in {path for path, _ in server.asked}


@pytest.mark.parametrize(
    ("knobs", "server_is", "words"),
    [
        ({"model": "owner/none"}, {}, "has no model owner/none"),
        ({"revision": "v9"}, {}, "no revision 'v9'"),
        ({}, {"gated": True}, "is gated"),
        ({"source": "modelscope"}, {"gated": True}, "has no model"),
        ({"source": "modelscope", "model": "owner/none"}, {}, "has no model"),
        ({}, {"lie": "model-00001-of-00002.safetensors"}, "arrived damaged"),
        ({}, {"dead": "model-00001-of-00002.safetensors"}, "connection broke"),
        ({}, {"files": {"toy.gguf": b""}}, "no config.json"),
        ({}, {"files": {"config.json": b"{}"}}, "no weights"),
        ({"endpoint": "http://127.0.0.1:9"}, {}, "can't be reached"),
    ],
)
def test_what_goes_wrong_is_said_and_half_a_model_is_none(
    server: Server, knobs: dict[str, Any], server_is: dict[str, Any], words: str
) -> None:
    for name, value in server_is.items():
        setattr(server, name, value)
    with pytest.raises(TrainingError, match=words) as caught:
        fetch(server, **knobs)
    assert caught.value.hint
    assert fetched("owner/toy") is None


@pytest.mark.parametrize("source", ["hub", "modelscope"])
def test_a_token_opens_and_is_never_shown(server: Server, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    server.gated = True
    knobs = Pull(token=TOKEN)  # pyright: ignore[reportArgumentType]
    assert set(fetch(server, source=source, token=TOKEN)) == WANTED
    assert TOKEN not in "".join(capsys.readouterr()) + repr(knobs)


def test_the_disk_is_looked_at_before_anything_is_fetched(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage(10**12, 10**12, pull.MARGIN + 1000)  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TrainingError, match="GB left"):
        fetch(server)
    assert not server.asked
    assert not list(cache.iterdir())


def test_pickles_only_where_there_is_nothing_else(server: Server) -> None:
    server.files = {"config.json": b"{}", "pytorch_model.bin": b"a pickle", "training_args.bin": b"another"}
    assert set(fetch(server)) == {"config.json", "pytorch_model.bin"}


def test_which_model_is_a_question_of_usage(server: Server, tmp_path: Path) -> None:
    for name in ("", "toy", str(tmp_path)):
        with pytest.raises(UsageError):
            fetch(server, model=name)
    with pytest.raises(TrainingError, match="has no model Qwen/Qwen3-8B"):
        fetch(server, model="", preset="8b-12g")


def test_the_toy_is_trained_by_the_name_it_was_fetched_by(server: Server, toy: Path, tmp_path: Path) -> None:
    import torch

    server.files = {path.name: path.read_bytes() for path in toy.iterdir()}
    fetch(server)
    from peft import get_peft_model

    base.quiet()
    model = get_peft_model(base.load_model("owner/toy", dtype=torch.float32), recipe.lora(Train(r=4)))
    adapters.save(model, tmp_path / "adapter")
    told = json.loads((tmp_path / "adapter" / "adapter_config.json").read_bytes())
    assert told["base_model_name_or_path"] == "owner/toy"
    assert base.load_tokenizer("owner/toy").eos_token == "<|im_end|>"
