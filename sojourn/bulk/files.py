"""What a file is: its format, its bytes as they stream by, and its fingerprint."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, cast

from sojourn.bulk.problems import UnreadableFile

_BLOCK = 1 << 20
GZIP = ".gz"


class Format(StrEnum):
    """What a file can be."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


_ENDINGS = {
    ".csv": Format.csv, ".tsv": Format.csv, ".txt": Format.csv,
    ".jsonl": Format.jsonl, ".ndjson": Format.jsonl, ".json": Format.jsonl,
    ".parquet": Format.parquet, ".pq": Format.parquet,
}  # fmt: skip


def format_of(path: Path, given: Format | None = None) -> Format:
    """Return a file's format, by its ending where it is not given.

    Raises:
        UnreadableFile: the ending tells none.
    """
    if given is not None:
        return given
    ending = Path(path.stem).suffix if path.suffix == GZIP else path.suffix
    found = _ENDINGS.get(ending.lower())
    if found is None:
        raise UnreadableFile(f"{path.name}: its ending tells no format; say --format csv, jsonl or parquet")
    if found is Format.parquet and path.suffix == GZIP:
        raise UnreadableFile(f"{path.name}: Parquet compresses by itself and is not read through gzip; decompress it first")
    return found


def fingerprint(path: Path, advanced: Callable[[int], None] = lambda _: None) -> str:
    """Return the SHA-256 of a file's content (hex).

    Args:
        path: the file.
        advanced: told how many bytes were read since it was told last.

    Raises:
        UnreadableFile: it is not there, or cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as source:
            while block := source.read(_BLOCK):
                digest.update(block)
                advanced(len(block))
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}; name a file that is there") from None
    return digest.hexdigest()


class Source:
    """The bytes of a text file as they stream by, gunzipped where its name says so; a context manager.

    Args:
        path: the file.
        offset: how many bytes of the text to leave out.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._raw = path.open("rb")
        self.stream: BinaryIO = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if path.suffix == GZIP else self._raw
        self.stream.seek(offset)

    def read_of_file(self) -> int:
        """Return how many bytes of the file itself have been read: what progress is measured by."""
        return self._raw.tell()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self._raw.close()
