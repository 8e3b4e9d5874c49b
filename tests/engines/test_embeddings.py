"""Vectors from a real llama.cpp server, of a toy that means nothing: the protocol alone. `make test-engines`."""

from collections.abc import Iterator

import pytest

from bot.embeddings import Embeddings
from bot.recall import Recall
from bot.recall_tables import key_of
from tests.bot.test_recall import said
from tests.engines.gguf import write_gguf
from tests.engines.served import served
from tests.engines.test_engines import CONTEXT, PYTHON, pytestmark as pytestmark
from tests.personas import make_persona

TEXTS = ["我对花生过敏", "今天下雨了", "the cat sat", "我对花生过敏"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = make_persona(tmp_path_factory.mktemp("vectors") / "v1", seed=1, context=CONTEXT)
    path = folder.parent / "toy.gguf"
    write_gguf(folder, path)
    # With several slots this llama.cpp gives one text several vectors when they are asked for together.
    with served(PYTHON, path, CONTEXT, 1, embeddings=True) as address:
        yield address


async def test_each_text_gets_its_vector_and_they_are_kept(url: str) -> None:
    embeddings = Embeddings(url, model="toy", timeout=30)
    found = await embeddings.of(TEXTS)
    await embeddings.close()
    assert found is not None
    assert embeddings.failures == 0
    alike = [found[0].cosine(one) for one in found]
    assert alike[3] == pytest.approx(1, abs=0.01)
    assert max(alike[1:3]) < 0.999
    lines = Recall.open(None)
    messages = [said(number, "qq:private:2", text) for number, text in enumerate(TEXTS)]
    lines.add((message, None) for message in messages)
    vectors = lines.embedded_by("toy")
    vectors.keep({key_of(one.chat, one.id): vector for one, vector in zip(messages, found, strict=True)})
    assert len(vectors) == len(TEXTS)
