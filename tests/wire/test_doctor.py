"""`mybot doctor` against real set-ups: each thing that is wrong is found and says what to do."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.doctor import Finding, _alerts, _card, _chosen, _look, examine
from bot.persona.manifest import SCORES
from config.errors import MyBotError, PersonaError
from config.settings import ROOT, Bot, Engine
from tests.personas import make_persona
from tests.toy_serve import make_toy
from tests.wire.peer import ACCOUNT, Peer
from tests.wire.running import free_port, write_settings


def knobs(folder: Path, **others: Any) -> Bot:
    return Bot(database=f"sqlite+aiosqlite:///{folder}/history.db", superusers=["10001"], chats=["group:1"], **others)


def of(findings: list[Finding], part: str) -> Finding:
    return next(finding for finding in findings if finding.part == part)


async def test_a_sound_set_up_has_nothing_wrong(tmp_path: Path) -> None:
    peer = Peer("right")
    bot = knobs(tmp_path, onebot_v11_ws_urls=[await peer.serve()], onebot_access_token="right")
    persona = make_persona(tmp_path / "v1")
    findings = await examine(bot, Engine(persona=persona))
    await peer.close()
    assert [finding for finding in findings if finding.state == "wrong"] == []
    assert str(ACCOUNT) in of(findings, "qq").text
    assert of(findings, "torch").text.startswith("torch ")
    assert "whole" in of(findings, "persona").text


@pytest.mark.parametrize("refuse", ["403", "frame"])
async def test_a_wrong_token_and_a_damaged_persona_are_found(tmp_path: Path, refuse: str) -> None:
    peer = Peer("right", refuse=refuse)
    bot = knobs(tmp_path, onebot_v11_ws_urls=[await peer.serve()], onebot_access_token="wrong")
    persona = make_persona(tmp_path / "v1")
    weights = persona / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    findings = await examine(bot, Engine(persona=persona))
    await peer.close()
    assert "token" in of(findings, "qq").text
    assert "model.safetensors is changed" in of(findings, "persona").text
    assert {of(findings, part).state for part in ("qq", "persona")} == {"wrong"}


async def test_nobody_there_a_used_port_and_no_address(tmp_path: Path) -> None:
    peer = Peer()
    used = int((await peer.serve()).rsplit(":", 1)[1])
    bot = knobs(tmp_path, onebot_v11_ws_urls=[f"ws://127.0.0.1:{free_port()}"], port=used)
    findings = [finding for finding in await examine(bot, Engine(persona=Path("echo"))) if finding.part == "qq"]
    await peer.close()
    assert [finding.state for finding in findings] == ["wrong", "wrong"]
    assert "nobody listens" in findings[0].text
    assert "in use" in findings[1].text
    [nowhere] = [f for f in await examine(knobs(tmp_path), Engine(persona=Path("echo"))) if f.part == "qq"]
    assert "does not know where QQ is" in nowhere.text


async def test_personas_that_chats_chose_are_looked_at(tmp_path: Path) -> None:
    make_toy(tmp_path / "me" / "v1")
    other = make_toy(tmp_path / "other" / "v1")
    for name in ("me", "other"):
        (tmp_path / name / "current").write_text("v1\n", encoding="utf-8")
    (other / SCORES).write_text('{"passed": false, "reasons": ["loss 9"]}', encoding="utf-8")
    engine = Engine(persona=tmp_path / "me")
    found = _chosen(knobs(tmp_path, personas={"group:1": "other"}), engine)
    assert [finding.state for finding in found] == ["ok", "note"]
    assert "loss 9" in found[1].text
    with pytest.raises(PersonaError, match="gone is not a persona"):
        _chosen(knobs(tmp_path, personas={"group:1": "gone"}), engine)


def test_a_card_this_build_of_torch_has_dropped_is_named() -> None:
    v100 = {"name": "Tesla V100", "sm": "70", "free": 30e9, "total": 32e9}
    assert _card(v100, {"version": "2.13.0", "archs": ["sm_80", "sm_90"]}).state == "wrong"
    assert _card(v100, {"version": "2.13.0", "archs": ["sm_70", "sm_80"]}).state == "ok"
    h100 = {**v100, "name": "H100", "sm": "90"}
    assert _card(h100, {"version": "2.13.0", "archs": ["sm_80", "sm_90"]}).state == "ok"


def test_the_command_exits_1_and_prints_json(tmp_path: Path) -> None:
    settings = write_settings(tmp_path, engine={"persona": str(tmp_path / "nowhere"), "url": "http://127.0.0.1:9"})
    done = subprocess.run(
        [sys.executable, str(ROOT / "mybot.py"), "doctor", "--json"],
        env={"MYBOT_CONFIG": str(settings), "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == MyBotError.exit_code
    found = {row["part"]: row for row in json.loads(done.stdout)}
    assert found["persona"]["state"] == "wrong"
    assert done.stderr.count("\n") == 2


async def test_the_ways_to_the_owner_are_looked_at(tmp_path: Path) -> None:
    peer = Peer()
    url = (await peer.serve()).replace("ws://", "http://")
    none, there, gone, unfinished = [
        (await _look("alerts", partial(_alerts, knobs(tmp_path, **given))))[0]
        for given in (
            {},
            {"alert_url": f"{url}/geheim"},
            {"alert_url": f"http://127.0.0.1:{free_port()}/geheim"},
            {"alert_mail": "me@example.com"},
        )
    ]
    await peer.close()
    assert (none.state, there.state, gone.state, unfinished.state) == ("note", "ok", "wrong", "wrong")
    assert none.hint
    assert "smtp_host" in unfinished.hint
    assert not any("geheim" in finding.text + finding.hint for finding in (there, gone))
