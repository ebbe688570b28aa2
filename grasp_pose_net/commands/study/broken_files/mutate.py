"""Ways to break a file: bytes, numbers, lines, and the parts of files that have parts. The same seed breaks it the same way."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

NUMBERS = [
    "-1",
    "0",
    "1",
    "7",
    "255",
    "65536",
    "2147483648",
    "-2147483649",
    "99999999999",
    "1" + "0" * 30,
    "1e308",
    "-1e39",
]
NUMBERS += [
    "1e-320",
    "nan",
    "inf",
    "-inf",
    "0.5",
    "1000",
    "3.7",
    "",
    "1.2.3",
    "0x10",
    "ten",
    "[]",
    "{}",
    "null",
    "*a",
    "&a 1",
]
WORDS = [struct.pack("<i", n) for n in (-1, 0, 1, 255, 65536, 2**31 - 1, -(2**31))]
WORDS += [struct.pack("<f", n) for n in (np.nan, np.inf, -np.inf, 1e38, 1e-45, -0.0)]
WORDS += [struct.pack("<d", n) for n in (np.nan, np.inf, 1e308)] + [
    struct.pack("<q", 2**62),
    b"\x00",
    b"\xff\xfe\xe9",
]
NUMBER = re.compile(rb"-?\d+\.?\d*(?:[eE][-+]?\d+)?")
MOST_BYTES = 1 << 16  # of a broken file: repeated blocks shall not make the time

Mutator = Callable[[bytes, Sequence[bytes], np.random.Generator], bytes]


@dataclass(frozen=True)
class Parts:
    """How a file with checksums or lengths is taken apart and put together again, so that what is broken gets past them.

    Attributes:
        split: content → its parts.
        join: parts → content with lengths and checksums that fit.
    """

    split: Callable[[bytes], list[bytes]]
    join: Callable[[list[bytes]], bytes]


def broken(seeds: Sequence[bytes], rng: np.random.Generator, parts: Parts | None = None) -> bytes:
    """A seed with one to three things broken.

    Args:
        seeds: good files of one kind.
        rng: decides which, and how.
        parts: of the kind; in half of the files, one part is broken instead of the whole.
    """
    data = seeds[int(rng.integers(len(seeds)))]
    if parts is None or rng.random() < 0.5:
        return _several(data, seeds, rng)
    pieces = parts.split(data)
    # the first part describes the others: it is broken as often as all of them
    chosen = 0 if rng.random() < 0.5 else int(rng.integers(len(pieces)))
    pieces[chosen] = _several(pieces[chosen], pieces, rng)
    return parts.join(pieces)


def _several(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        data = MUTATORS[rng.integers(len(MUTATORS))](data, others, rng)
    return data[:MOST_BYTES] if len(data) > MOST_BYTES else data


def _place(data: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(len(data) + 1))


def _flip(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Change some bits."""
    changed = bytearray(data)
    for place in rng.integers(max(len(data), 1), size=rng.integers(1, 9)) if data else ():
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Keep the beginning."""
    return data[: _place(data, rng)]


def _overwrite(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Put a number that is an end of something over what is there."""
    word, place = WORDS[rng.integers(len(WORDS))], _place(data, rng)
    return data[:place] + word + data[place + len(word) :]


def _insert(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Put some bytes between others."""
    place = _place(data, rng)
    return data[:place] + rng.bytes(int(rng.integers(1, 20))) + data[place:]


def _remove(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Take some bytes out."""
    place = _place(data, rng)
    return data[:place] + data[place + int(rng.integers(1, 40)) :]


def _repeat(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Say some bytes again, a few times or many."""
    place = _place(data, rng)
    block = data[place : place + int(rng.integers(1, 60))]
    return data[:place] + block * int(rng.choice([2, 3, 200])) + data[place:]


def _number(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Write another number, or none, in place of one in a text."""
    found = list(NUMBER.finditer(data))
    if not found:
        return _overwrite(data, others, rng)
    number = found[rng.integers(len(found))]
    return data[: number.start()] + NUMBERS[rng.integers(len(NUMBERS))].encode() + data[number.end() :]


def _swap_lines(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Exchange two lines."""
    lines = data.split(b"\n")
    one, two = rng.integers(len(lines), size=2)
    lines[one], lines[two] = lines[two], lines[one]
    return b"\n".join(lines)


def _drop_line(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Leave a line out, or say it twice."""
    lines = data.split(b"\n")
    place = int(rng.integers(len(lines)))
    lines[place : place + 1] = [lines[place]] * int(rng.choice([0, 2]))
    return b"\n".join(lines)


def _swap_words(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Write one word of a text in place of another."""
    found = list(re.finditer(rb"[A-Za-z_][\w.]*", data))
    if len(found) < 2:
        return _flip(data, others, rng)
    one, two = (found[i] for i in rng.integers(len(found), size=2))
    return data[: one.start()] + two.group() + data[one.end() :]


def _splice(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Go on with the end of another file."""
    other = others[int(rng.integers(len(others)))]
    return data[: _place(data, rng)] + other[_place(other, rng) :]


MUTATORS: tuple[Mutator, ...] = (
    *(_flip, _cut, _overwrite, _insert, _remove, _repeat, _number, _number, _number),
    *(_swap_lines, _drop_line, _swap_words, _swap_words, _splice),
)


def _unzip(data: bytes) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [part for info in archive.infolist() for part in (info.filename.encode(), archive.read(info))]


def _zip(pieces: list[bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in zip(pieces[::2], pieces[1::2], strict=True):
            archive.writestr(zipfile.ZipInfo(name.decode("latin-1").replace("\0", "0") or "_"), content)
    return stream.getvalue()


def _split_tensors(data: bytes) -> list[bytes]:
    (length,) = struct.unpack("<Q", data[:8])
    return [data[8 : 8 + length], data[8 + length :]]


def _split_glb(data: bytes) -> list[bytes]:
    (length,) = struct.unpack("<I", data[12:16])
    return [data[20 : 20 + length], data[28 + length :]]


def _join_glb(pieces: list[bytes]) -> bytes:
    chunks = []
    for kind, content in zip((b"JSON", b"BIN\0"), pieces, strict=True):
        content += b" " * (-len(content) % 4)
        chunks.append(struct.pack("<I", len(content)) + kind + content)
    body = b"".join(chunks)
    return b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body


ARRAYS = Parts(_unzip, _zip)
TENSORS = Parts(_split_tensors, lambda pieces: struct.pack("<Q", len(pieces[0])) + pieces[0] + pieces[1])
GLB = Parts(_split_glb, _join_glb)
