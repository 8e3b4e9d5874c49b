"""One contract, several engines: a real llama.cpp server with the toy as GGUF, and `mybot serve`. `make test-engines`.

vLLM takes part where MYBOT_VLLM is its command, in an environment of its own: it has the toy's folder as it is.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.engine.admission import Admission
from bot.engine.child import Child
from bot.engine.client import Client
from bot.engine.remote import Remote
from bot.engine.wire import Piece, Sampling
from bot.engine.worker import open_talker
from config.settings import Engine
from tests.engines.gguf import write_gguf
from tests.engines.served import served, vllm_serve
from tests.personas import make_persona

PYTHON = os.environ.get("MYBOT_ENGINES", "")
"""The interpreter of the environment that has xllamacpp."""
VLLM = os.environ.get("MYBOT_VLLM", "")
CONTEXT, CHATS = 512, 4
PROMPTS = ("the cat sat", "on the mat", "你好呀", "周四来吗", "the cat sat on the mat " * 8, "a")
GREEDY = Sampling(temperature=0, max_tokens=24)

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(
        not (PYTHON or VLLM), reason="opt-in: `make test-engines` installs a llama.cpp server and runs them"
    ),
]


@dataclass
class House:
    """One engine behind the wire, as the bot has it, and the bare model to compare with."""

    name: str
    talker: Remote
    url: str
    headers: dict[str, str]
    model: Any
    tokenizer: Any

    async def say(self, text: str, sampling: Sampling = GREEDY) -> tuple[str, Piece, int]:
        """What it says, how it ends, and in how many pieces."""
        pieces = [piece async for piece in self.talker.stream(asked(text), sampling)]
        assert [bool(piece.finish) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        return "".join(piece.text for piece in pieces), pieces[-1], len(pieces)

    def generate(self, text: str, **rules: Any) -> str:
        """What transformers' own generate() says."""
        ids = self.tokenizer.apply_chat_template(
            asked(text), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        said = self.model.generate(**ids, do_sample=False, max_new_tokens=24, **rules)
        return self.tokenizer.decode(said[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)


def asked(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "你是小鹿"}, {"role": "user", "content": text}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_persona(tmp_path_factory.mktemp("toy") / "v1", seed=1, context=CONTEXT, spoil="endless")


@pytest.fixture(scope="module")
def broad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Heads of 32 numbers: vLLM's CPU build has none of 16."""
    return make_persona(tmp_path_factory.mktemp("broad") / "v1", seed=1, context=CONTEXT, spoil="endless", heads=2)


@pytest.fixture(scope="module")
def llama_cpp(folder: Path) -> Any:
    path = folder.parent / "toy.gguf"
    write_gguf(folder, path)
    with served(PYTHON, path, CONTEXT, CHATS) as url:
        yield url


@pytest.fixture(scope="module")
def vllm(broad: Path) -> Any:
    with vllm_serve(VLLM, broad, CONTEXT, CHATS) as url:
        yield url


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("llama.cpp", marks=pytest.mark.skipif(not PYTHON, reason="MYBOT_ENGINES has no xllamacpp")),
        "mybot serve",
        pytest.param("vllm", marks=pytest.mark.skipif(not VLLM, reason="MYBOT_VLLM names no vllm command")),
    ],
)
async def house(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[House]:
    import transformers

    if request.param == "vllm":
        folder = request.getfixturevalue("broad")
    knobs = Engine(persona=folder, device="cpu", timeout=30, max_batch=CHATS)
    child = None
    if request.param != "mybot serve":
        url, key = request.getfixturevalue(request.param.replace(".", "_")), ""
    else:
        child = await Child.start(folder, knobs)
        url, key = child.client.url, child.client._headers["Authorization"].removeprefix("Bearer ")
    talker = await open_talker(knobs.model_copy(update={"url": url, "api_key": key and _secret(key)}))
    assert isinstance(talker, Remote)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    headers = {"Authorization": f"Bearer {key}"}
    yield House(request.param, talker, url, headers, model, transformers.AutoTokenizer.from_pretrained(folder))
    await talker.close()
    if child is not None:
        await child.stop()


def _secret(key: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(key)


async def test_temperature_0_says_what_the_bare_model_says(house: House) -> None:
    counts: list[int] = []
    for text in PROMPTS:
        said, last, pieces = await house.say(text)
        counts.append(pieces)
        assert said == house.generate(text)
        assert last.finish == "length"
        assert last.persona == house.talker.persona.hash
    # The first word at once; of ours what follows within a moment is handed on as one, with the end after it.
    assert max(counts) > 2, "it streams"


async def test_streamed_or_not_it_says_the_same(house: House) -> None:
    body = {"messages": asked("the cat sat"), "temperature": 0, "max_tokens": 24}
    async with (
        aiohttp.ClientSession(headers=house.headers) as session,
        session.post(f"{house.url}/chat/completions", json=body) as response,
    ):
        whole = (await response.json())["choices"][0]
    assert (whole["message"]["content"], whole["finish_reason"]) == ((await house.say("the cat sat"))[0], "length")


async def test_a_stop_string_and_the_longest_reply(house: House) -> None:
    whole, _, _ = await house.say("the cat sat")
    stop = whole[7:10]
    said, last, _ = await house.say("the cat sat", replace(GREEDY, stop=("no such thing", stop)))
    assert (said, last.finish) == (whole[: whole.index(stop)], "stop")
    said, last, _ = await house.say("the cat sat", replace(GREEDY, max_tokens=5))
    assert whole.startswith(said)
    assert last.finish == "length"
    assert len(house.tokenizer(said)["input_ids"]) <= 5


async def test_penalties(house: House) -> None:
    for text in PROMPTS[:4]:
        said, _, _ = await house.say(text, replace(GREEDY, repetition_penalty=1.3))
        assert said == house.generate(text, repetition_penalty=1.3)
    plain = house.generate("the cat sat")
    for penalty in ("presence_penalty", "frequency_penalty"):
        said, _, _ = await house.say("the cat sat", replace(GREEDY, **{penalty: 2.0}))
        assert said != plain


async def test_drawn_by_its_seed(house: House) -> None:
    warm = Sampling(temperature=1.0, max_tokens=24, seed=7)
    first = (await house.say("the cat sat", warm))[0]
    assert (await house.say("the cat sat", warm))[0] == first
    others = {(await house.say("the cat sat", replace(warm, seed=seed)))[0] for seed in range(4)}
    assert len(others) > 1
    assert (await house.say("the cat sat", replace(warm, top_k=1)))[0] == house.generate("the cat sat")


async def test_what_cannot_be_is_refused_and_harms_nobody(house: House) -> None:
    said, last, _ = await house.say("the cat sat on the mat " * 200)
    assert (said, last.finish) == ("", "error")
    assert last.why.startswith("400")
    async with aiohttp.ClientSession(headers=house.headers) as session:
        for body in (b"{", b'{"messages": "x"}', b"[]"):
            async with session.post(f"{house.url}/chat/completions", data=body) as response:
                assert 400 <= response.status < 501
                assert (await response.json())["error"]
    assert (await house.say("a"))[0] == house.generate("a")


async def test_who_hangs_up_frees_his_place(house: House) -> None:
    """The server answers as many chats as it can at once; all hang up, and the next is answered at once."""
    long = Sampling(temperature=0, max_tokens=256)

    async def hang_up() -> None:
        async with aclosing(house.talker.stream(asked("the cat sat"), long)) as pieces:
            assert (await anext(pieces)).text

    await asyncio.gather(*(hang_up() for _ in range(3 * CHATS)))
    assert (await asyncio.wait_for(house.say("a"), 5))[0] == house.generate("a")


async def test_a_flood_through_admission(house: House) -> None:
    """More chats than it has places for: each gets its own answer, once."""
    admission = Admission(house.talker, limit=CHATS, room=100, timeout=60)

    async def ask(number: int) -> tuple[str, Any]:
        stream = admission.stream(asked(PROMPTS[number % len(PROMPTS)]), GREEDY)
        pieces = [piece async for piece in stream]
        return "".join(piece.text for piece in pieces), pieces[-1].finish

    right = {text: house.generate(text) for text in PROMPTS}
    said = await asyncio.gather(*(ask(number) for number in range(60)))
    assert said == [(right[PROMPTS[number % len(PROMPTS)]], "length") for number in range(60)]


async def test_a_server_that_is_not_recognized_gets_only_what_everybody_knows(house: House) -> None:
    key = house.headers["Authorization"].removeprefix("Bearer ")
    client = Client(house.url, api_key=key)
    pieces = [piece async for piece in client.stream(asked("the cat sat"), GREEDY)]
    assert "".join(piece.text for piece in pieces) == house.generate("the cat sat")
    await client.close()
