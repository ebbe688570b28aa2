"""Point clouds from PCD and PLY files.

PCD is read here and not by Open3D, which a header whose sizes do not fit ends with a segmentation fault: the header is checked
against the length of what follows, and numpy does the rest. https://pointclouds.org/documentation/tutorials/pcd_file_format.html
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.compiled import compiled
from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.reading import one_line, read_bytes
from grasp_pose_net.shapes.mesh_files import read_geometry
from grasp_pose_net.world import Array

LARGEST_MB = 2048
MOST_POINTS = 50_000_000
MOST_VALUES = 4096  # bytes of one point, and numbers in it
FARTHEST_M = 1000.0  # beyond, a number is no measurement of a depth camera
HEADER_BYTES = 65536
KINDS = {
    (letter, size): f"<{letter.lower()}{size}"
    for letter, sizes in {"F": (4, 8), "I": (1, 2, 4, 8), "U": (1, 2, 4, 8)}.items()
    for size in sizes
}


def read_cloud(path: Path) -> Array:
    """Points (N, 3) [m] of a PCD or PLY file; those that are not finite or beyond 1 km are missing measurements.

    Raises:
        PerceptionError: no such file, another ending, one that is cut or claims what it has not, or no points in it.
    """
    if path.suffix.lower() not in (".pcd", ".ply") or not path.exists():
        raise PerceptionError(f"{path}: expected an existing PCD or PLY file")
    if path.suffix.lower() == ".ply":
        points = np.asarray(read_geometry(path, PerceptionError).vertices, np.float64)
    else:
        data = read_bytes(path, LARGEST_MB, PerceptionError)
        try:
            points = parse_pcd(data)
        except ValueError as error:
            raise PerceptionError(f"{path}: cannot be read as PCD ({one_line(error)})") from error
    measured = (np.abs(points) <= FARTHEST_M).all(axis=1)
    if not measured.any():
        raise PerceptionError(
            f"{path}: none of its {len(points)} points is within {FARTHEST_M:g} m; expected x, y, z in metres"
        )
    return points[measured]


def parse_pcd(data: bytes) -> Array:
    """Points (N, 3) of the content of a PCD file: ascii, binary or binary_compressed.

    Raises:
        ValueError: the header lacks something or does not fit what follows.
    """
    header, start = _header(data)
    body = memoryview(data)[start:]
    with np.errstate(invalid="ignore"):  # a NaN of single precision may not survive as the same NaN
        return READERS[header.data](header, body)


@dataclass(frozen=True)
class Header:
    """What a PCD file says of itself.

    Attributes:
        names: (F,) fields.
        kinds: (F,) their types, as numpy writes them.
        counts: (F,) values of each in a point.
        points: how many points.
        data: ascii, binary or binary_compressed.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    counts: tuple[int, ...]
    points: int
    data: str

    def __post_init__(self) -> None:
        """Check."""
        if not len(self.names) == len(self.kinds) == len(self.counts):
            raise ValueError("FIELDS, SIZE, TYPE and COUNT are not of one length")
        if min(self.counts, default=0) < 1 or sum(self.counts) > MOST_VALUES:
            raise ValueError(f"COUNT is {self.counts}, expected 1 to {MOST_VALUES} values in a point")
        for axis in "xyz":
            if self.names.count(axis) != 1 or self.counts[self.names.index(axis)] != 1:
                raise ValueError(
                    f"expected one field {axis!r} of one value, FIELDS are {' '.join(self.names)}"
                )
        if not 0 < self.points <= MOST_POINTS:
            raise ValueError(f"it claims {self.points} points, expected 1 to {MOST_POINTS}")
        if self.data not in READERS:
            raise ValueError(f"DATA is {self.data!r}, expected {', '.join(READERS)}")

    @property
    def point(self) -> np.dtype:
        """Numpy's type of one point; fields go by their numbers, since names may be there twice."""
        fields = enumerate(zip(self.kinds, self.counts, strict=True))
        return np.dtype([(str(number), kind, (count,)) for number, (kind, count) in fields])

    def axis(self, name: str) -> int:
        """Number of the field of an axis."""
        return self.names.index(name)


def _header(data: bytes) -> tuple[Header, int]:
    """Header, and where the points begin."""
    entries: dict[str, list[str]] = {}
    start = 0
    while "DATA" not in entries:
        end = data.find(b"\n", start, HEADER_BYTES)
        if end < 0:
            raise ValueError("its header has no DATA")
        words = data[start:end].decode("ascii", "replace").split()
        start = end + 1
        if words and not words[0].startswith("#"):
            entries[words[0].upper()] = words[1:]
    names = tuple(entries.get("FIELDS") or entries.get("COLUMNS") or ())
    sizes = _whole(entries, "SIZE")
    kinds = []
    for letter, size in zip(entries.get("TYPE", ()), sizes, strict=False):
        if (letter.upper(), size) not in KINDS:
            raise ValueError(f"there is no TYPE {letter} of SIZE {size}")
        kinds.append(KINDS[letter.upper(), size])
    counts = _whole(entries, "COUNT") if "COUNT" in entries else [1] * len(names)
    points = math.prod(_whole(entries, "WIDTH")[:1] + _whole(entries, "HEIGHT")[:1])
    if "POINTS" in entries and _whole(entries, "POINTS") != [points]:
        raise ValueError(f"WIDTH x HEIGHT is {points}, POINTS is {' '.join(entries['POINTS'])}")
    return Header(names, tuple(kinds), tuple(counts), points, " ".join(entries["DATA"]).lower()), start


def _whole(entries: dict[str, list[str]], key: str) -> list[int]:
    """Whole numbers of an entry."""
    words = entries.get(key)
    if not words:
        raise ValueError(f"its header has no {key}")
    if not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
        raise ValueError(f"{key} is {' '.join(words)!r}, expected whole numbers")
    return [int(word) for word in words]


def _ascii(header: Header, body: memoryview) -> Array:
    offsets = np.cumsum([0, *header.counts])
    columns = [int(offsets[header.axis(name)]) for name in "xyz"]
    if 2 * header.points * sum(header.counts) - 1 > len(body):
        raise ValueError(f"it claims {header.points} points in {len(body)} bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy only warns of a text without numbers
        try:
            points = np.loadtxt(io.BytesIO(body), usecols=columns, max_rows=header.points, ndmin=2)
        except UserWarning as error:
            raise ValueError(error) from error
    if len(points) != header.points:
        raise ValueError(f"it claims {header.points} points and has {len(points)}")
    return points


def _binary(header: Header, body: memoryview) -> Array:
    size = header.point.itemsize * header.points
    if len(body) < size:
        raise ValueError(f"it claims {size} bytes of points and has {len(body)}")
    points = np.frombuffer(body[:size], header.point)
    return np.stack([points[str(header.axis(name))][:, 0].astype(np.float64) for name in "xyz"], axis=1)


def _compressed(header: Header, body: memoryview) -> Array:
    """The fields one after the other, compressed."""
    if len(body) < 8:
        raise ValueError("its compressed points are cut")
    packed, unpacked = (int(n) for n in np.frombuffer(body[:8], "<u4"))
    size = header.point.itemsize * header.points
    if len(body) - 8 < packed or unpacked != size:
        raise ValueError(
            f"it claims {packed} bytes, unpacked {unpacked}, and has {len(body) - 8} for points of {size}"
        )
    data = np.empty(size, np.uint8)
    if unpack(np.frombuffer(body[8 : 8 + packed], np.uint8), data) != size:
        raise ValueError("its compressed points are broken")
    parts = []
    for name in "xyz":
        number = header.axis(name)
        before = sum(header.point[i].itemsize for i in range(number)) * header.points
        end = before + header.point[number].itemsize * header.points
        parts.append(data[before:end].view(header.kinds[number]).astype(np.float64))
    return np.stack(parts, axis=1)


@compiled(nogil=True)
def unpack(packed: NDArray[np.uint8], out: NDArray[np.uint8]) -> int:
    """Unpack LZF into ``out``; how many bytes that were, -1 where the input is broken or longer than ``out``.

    A byte below 32 is followed by one more plain bytes than it says. Otherwise its upper three bits are the length less 2 of
    bytes to repeat (7: the next byte counts on), its lower five and the next byte how far back they are, less 1.
    """
    read, write = 0, 0
    while read < len(packed):
        control = int(packed[read])
        read += 1
        if control < 32:
            length = control + 1
            if read + length > len(packed) or write + length > len(out):
                return -1
            out[write : write + length] = packed[read : read + length]
            read += length
            write += length
            continue
        length = control >> 5
        if length == 7:
            if read >= len(packed):
                return -1
            length += int(packed[read])
            read += 1
        if read >= len(packed):
            return -1
        source = write - ((control & 31) << 8) - int(packed[read]) - 1
        read += 1
        length += 2
        if source < 0 or write + length > len(out):
            return -1
        for i in range(length):  # one by one: what is repeated may have just been written
            out[write + i] = out[source + i]
        write += length
    return write


READERS: dict[str, Callable[[Header, memoryview], Array]] = {
    "ascii": _ascii,
    "binary": _binary,
    "binary_compressed": _compressed,
}
