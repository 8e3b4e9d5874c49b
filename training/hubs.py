"""What a model hub has: the Hugging Face hub, its mirrors, ModelScope. Names, sizes and addresses of files.

Speaks the two HTTP interfaces and knows which files of a repository a base model is made of; fetches none.
"""

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any
from urllib.parse import quote

import aiohttp

from config.errors import TrainingError

MODELSCOPE = "https://www.modelscope.cn"
SMALL = (
    "*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja", "LICENSE*", "NOTICE*", "README.md",
)  # fmt: skip
"""Config, tokenizer, template and licence; the weights come beside them."""
TOKEN_HINT = "put a token into .env: MYBOT_PULL_TOKEN=…"


@dataclass(frozen=True, slots=True)
class Remote:
    """One file of a model on a hub."""

    path: str
    size: int
    url: str
    sha256: str = ""
    """Known for large files."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A model at one commit."""

    commit: str
    files: list[Remote]


class Hub:
    """The Hugging Face hub, or a mirror that speaks like it."""

    def __init__(self, endpoint: str, token: str) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def listing(self, session: aiohttp.ClientSession, name: str, revision: str) -> Listing:
        """The files of a model; TrainingError where the hub doesn't give them."""
        url = f"{self.endpoint}/api/models/{name}/revision/{quote(revision or 'main', safe='')}"
        async with session.get(url, params={"blobs": "true"}) as response:
            await self.check(response, name, revision)
            told = await response.json()
        commit = told["sha"]
        return Listing(commit, [self._remote(name, commit, file) for file in told["siblings"]])

    def _remote(self, name: str, commit: str, file: dict[str, Any]) -> Remote:
        lfs = file.get("lfs") or {}
        path = file["rfilename"]
        url = f"{self.endpoint}/{name}/resolve/{commit}/{quote(path)}"
        return Remote(path, file.get("size") or lfs.get("size") or 0, url, lfs.get("sha256", ""))

    async def check(self, response: aiohttp.ClientResponse, name: str, revision: str) -> None:
        """Raise TrainingError for an answer that is no success."""
        code = response.headers.get("X-Error-Code", "")
        if code == "GatedRepo" or (response.status == 403 and not code):
            raise TrainingError(
                f"{name} is gated: its owners want to be asked first",
                hint=f"ask on {self.endpoint}/{name}, then {TOKEN_HINT}",
            )
        _check(response, self.endpoint, name, revision, code == "RevisionNotFound")


class ModelScope(Hub):
    """ModelScope; a token is its session's cookie there."""

    def __init__(self, endpoint: str, token: str) -> None:
        super().__init__(endpoint or MODELSCOPE, "")
        self.headers = {"Cookie": f"m_session_id={token}"} if token else {}

    async def listing(self, session: aiohttp.ClientSession, name: str, revision: str) -> Listing:
        """As the hub's. No commit is told for the whole of it: the names and hashes of the files stand for one."""
        url, branch = f"{self.endpoint}/api/v1/models/{name}", revision or "master"
        async with session.get(f"{url}/repo/files", params={"Revision": branch, "Recursive": "true"}) as response:
            await self.check(response, name, revision)
            told = await response.json()
        files = [
            Remote(
                file["Path"],
                file.get("Size") or 0,
                f"{url}/repo?Revision={quote(branch, safe='')}&FilePath={quote(file['Path'], safe='')}",
                file.get("Sha256") or "",
            )
            for file in (told.get("Data") or {}).get("Files") or []
            if file.get("Type") != "tree"
        ]
        lines = sorted(f"{file.path} {file.size} {file.sha256}\n" for file in files)
        return Listing(hashlib.sha1("".join(lines).encode(), usedforsecurity=False).hexdigest(), files)

    async def check(self, response: aiohttp.ClientResponse, name: str, revision: str) -> None:
        _check(response, self.endpoint, name, revision, False)


def _check(response: aiohttp.ClientResponse, endpoint: str, name: str, revision: str, no_revision: bool) -> None:
    if response.ok:
        return
    if no_revision:
        raise TrainingError(f"{name} has no revision {revision!r}", hint=f"see its branches and tags on {endpoint}")
    if response.status in (401, 403, 404):
        raise TrainingError(
            f"{endpoint} has no model {name} for you",
            hint=f"check the name{f' and the revision {revision}' if revision else ''}; for a private one {TOKEN_HINT}",
        )
    raise TrainingError(
        f"{endpoint} answered {response.status} {response.reason or ''}".strip(),
        hint="try again later; what was fetched so far is kept",
    )


def needed(listing: Listing, name: str) -> list[Remote]:
    """The files of a base model: config, tokenizer, template, licence, and its weights in one format.

    Safetensors where there are any, else PyTorch's pickles; never copies in folders, nor GGUF and ONNX.
    """
    files = {file.path: file for file in listing.files if "/" not in file.path}
    if "config.json" not in files:
        raise TrainingError(f"{name} is no base model: no config.json", hint="quantised copies (GGUF) can't be trained")
    for kind in ("model*.safetensors", "pytorch_model*.bin"):
        weights = [path for path in files if fnmatch(path, kind)]
        if weights:
            index = kind.replace("*", "") + ".index.json"
            other = [path for path in files if path.endswith(".index.json") and path != index]
            small = [path for path in files if any(fnmatch(path, one) for one in SMALL) and path not in other]
            return [files[path] for path in sorted({*small, *weights})]
    raise TrainingError(f"{name} holds no weights that can be trained", hint="look for the model it was made from")
