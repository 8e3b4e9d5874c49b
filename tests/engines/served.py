"""A GGUF file behind a real llama.cpp server, while it is needed."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def served(python: str, path: Path, context: int, chats: int, *, embeddings: bool = False) -> Iterator[str]:
    """The server's address; `python` is the interpreter that has xllamacpp. With `embeddings` it gives nothing else."""
    script = Path(__file__).with_name("llama_server.py")
    server = subprocess.Popen(
        [python, script, path, str(context), str(chats), *(["embeddings"] if embeddings else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    with server:
        lines = iter(server.stdout.readline, "")
        try:
            yield next(line for line in lines if line.startswith("listening on ")).split()[2]
        finally:
            server.kill()
