"""Real servers, while they are needed: a GGUF file behind llama.cpp, a persona's folder behind vLLM."""

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.wire.running import free_port


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


@contextlib.contextmanager
def vllm_serve(command: str, folder: Path, context: int, chats: int) -> Iterator[str]:
    """The server's address. In 16 bit, its own choice, nothing could be compared letter by letter."""
    port = free_port()
    limits = ["--dtype", "float32", "--max-model-len", str(context), "--max-num-seqs", str(chats), "--enforce-eager"]
    server = subprocess.Popen(
        [command, "serve", folder, "--served-model-name", "toy", "--host", "127.0.0.1", "--port", str(port), *limits],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout is not None
    with server:
        said: list[str] = []
        try:
            while not said or "startup complete" not in said[-1]:
                said.append(server.stdout.readline())
                assert said[-1], "".join(said)
            threading.Thread(target=server.stdout.read, daemon=True).start()
            _reached(port)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def _reached(port: int, within: float = 30.0) -> None:
    """Wait until somebody listens: it says that it is up a moment earlier."""
    until = time.monotonic() + within
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < until, "nobody listens"
            time.sleep(0.1)
        else:
            return
