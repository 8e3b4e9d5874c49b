"""Where exports lie: files, folders and zips, walked to one place an export.

Knows the file system and zip archives; doesn't know any format. What can't be a chat by its suffix
(pictures, sound, a system's own files) isn't opened at all.
"""

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from config.errors import InputError
from training.importers.source import Source, opened

NO_CHAT = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".png",
        ".gif",
        ".webp",
        ".bmp",
        ".svg",
        ".ico",
        ".heic",
        ".mp3",
        ".amr",
        ".silk",
        ".wav",
        ".ogg",
        ".m4a",
        ".slk",
        ".mp4",
        ".mov",
        ".avi",
        ".mkv",
        ".dat",
        ".css",
        ".js",
        ".woff",
        ".woff2",
        ".ttf",
        ".map",
        ".exe",
        ".dll",
        ".apk",
        ".7z",
        ".rar",
        ".gz",
        ".tar",
        ".pdf",
        ".doc",
        ".docx",
        ".ppt",
        ".pptx",
        ".ds_store",
    ]
)
INFLATED = 200
"""Times a zip member may be larger than it is packed: more is a bomb, unless it is small."""
SMALL = 64 << 20
LARGEST = 8 << 30
"""Bytes of one unpacked member."""


@dataclass(slots=True, frozen=True)
class Place:
    """One file, or one member of a zip archive."""

    path: Path
    member: str = ""
    named: bool = True
    """Whether the user named it; what merely lies in a folder may turn out to be no chat."""

    @property
    def name(self) -> str:
        return f"{self.path.name}/{self.member}" if self.member else str(self.path.name)

    @contextmanager
    def open(self) -> Iterator[Source]:
        """The export, at its beginning; a member is unpacked to a temporary file first."""
        if not self.member:
            with opened(self.path) as source:
                source.beside = self._neighbour
                yield source
            return
        with tempfile.TemporaryDirectory() as folder:
            unpacked = Path(folder) / (PurePosixPath(self.member).name or "member")
            with _archive(self.path) as archive, unpacked.open("wb") as file:
                _unpack(archive, archive.getinfo(self.member), file)
            with opened(unpacked) as source:
                source.beside = self._neighbour
                yield source

    def _neighbour(self, name: str) -> "Place | None":
        """The file of this relative name beside this one; None if it isn't there."""
        wanted = PurePosixPath(name.replace("\\", "/"))
        if wanted.is_absolute() or ".." in wanted.parts:
            return None
        if self.member:
            member = str(PurePosixPath(self.member).parent / wanted)
            with _archive(self.path) as archive:
                return Place(self.path, member, named=False) if member in archive.namelist() else None
        path = self.path.parent / wanted
        return Place(path, named=False) if path.is_file() else None


@dataclass(slots=True, frozen=True)
class Elsewhere:
    """A database that is no file, by its URL."""

    url: str
    named: bool = True

    @property
    def name(self) -> str:
        """Without what may be a password."""
        return self.url.partition("://")[0].partition("+")[0]

    @contextmanager
    def open(self) -> Iterator[Source]:
        """The database; connecting is the importer's."""
        yield Source(self.name, BytesIO(), b"", 0, url=self.url)


@dataclass(slots=True)
class Ignored:
    """What was found and not read, by reason."""

    files: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        self.files.setdefault(reason, []).append(name)

    def __str__(self) -> str:
        found = [f"{reason}: {', '.join(names[:3])}" for reason, names in self.files.items()]
        return "; ".join(found) or "nothing"


def places(path: Path, ignored: Ignored) -> Iterator[Place]:
    """Every place below a path that may hold a chat, in the order of their names."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            hidden = any(part.startswith((".", "__MACOSX")) for part in file.relative_to(path).parts)
            if not file.is_file():
                continue
            if hidden or file.suffix.lower() in NO_CHAT:
                ignored.add("no_chat", file.name)
            elif zipfile.is_zipfile(file):
                yield from _members(file, ignored)
            else:
                yield Place(file, named=False)
    elif path.is_file() and zipfile.is_zipfile(path):
        yield from _members(path, ignored)
    else:
        yield Place(path)


def _members(path: Path, ignored: Ignored) -> Iterator[Place]:
    with _archive(path) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.filename)
    for info in infos:
        name = PurePosixPath(info.filename.replace("\\", "/"))
        if info.is_dir():
            continue
        if any(part.startswith((".", "__MACOSX")) for part in name.parts) or name.suffix.lower() in NO_CHAT:
            ignored.add("no_chat", name.name)
        elif name.suffix.lower() == ".zip":
            ignored.add("zip_in_a_zip", name.name)
        elif info.flag_bits & 1:
            ignored.add("has_a_password", name.name)
        elif info.file_size > LARGEST or info.file_size > max(SMALL, INFLATED * info.compress_size):
            ignored.add("too_large_unpacked", name.name)
        else:
            yield Place(path, info.filename, named=False)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except zipfile.BadZipFile:
        raise InputError(f"{path} is a damaged zip", hint="download or export it again") from None


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: BinaryIO) -> None:
    try:
        with archive.open(info) as packed:
            shutil.copyfileobj(packed, file, 1 << 20)
    except (NotImplementedError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{info.filename} in the zip can't be unpacked: {error}", hint="unpack it by hand") from None
