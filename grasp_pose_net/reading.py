"""What comes in from files: ordinary files of bounded size, whatever they are called and whatever they claim to hold.

Who reads a file begins here, so that a named pipe, a folder, a claim of a terabyte or a library's own error is everywhere the
same: one sentence that names the file. What the content must be is checked by the class that it becomes.
"""

from __future__ import annotations

import json
import math
import stat
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from grasp_pose_net.exceptions import ConfigError, GraspPoseNetError

MEGABYTE = 1 << 20
TEXT_MB, ARRAYS_MB = 4, 4096  # of a description or report; of the arrays in one file, unpacked
MOST_ENTRIES = 100_000  # of a YAML file, its aliases written out: ten lines of aliases claim billions
WORDS = 300  # characters of a library's error that are worth telling

Refusal = type[GraspPoseNetError]


def one_line(error: object, most: int = WORDS) -> str:
    """What an error says as one line, its type where it says nothing."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else text[: most - 1] + "…"


def brief(value: Any, most: int = 80) -> str:
    """How a value is written, cut where it is long."""
    return one_line(repr(value), most)


def check_file(path: Path, most_mb: int, refusal: Refusal = ConfigError) -> None:
    """Refuse what is no ordinary file, or a larger one; a named pipe would keep its reader waiting for ever.

    Args:
        path: the file.
        most_mb: largest size [MiB].
        refusal: error to raise.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        why = (
            "no such file"
            if isinstance(error, FileNotFoundError)
            else getattr(error, "strerror", None) or error
        )
        raise refusal(f"cannot read {path}: {why}") from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no ordinary file (a pipe, socket or device)"
        raise refusal(f"cannot read {path}: it is {kind}")
    if found.st_size > most_mb * MEGABYTE:
        raise refusal(
            f"cannot read {path}: it has {found.st_size / MEGABYTE:.0f} MiB, expected at most {most_mb}"
        )


def read_bytes(path: Path, most_mb: int = TEXT_MB, refusal: Refusal = ConfigError) -> bytes:
    """Content of an ordinary file of at most ``most_mb`` MiB; else ``refusal``."""
    check_file(path, most_mb, refusal)
    try:
        return path.read_bytes()
    except OSError as error:
        raise refusal(f"cannot read {path}: {error.strerror}") from error


def read_text(path: Path, most_mb: int = TEXT_MB, refusal: Refusal = ConfigError) -> str:
    """Text of an ordinary file in UTF-8, of at most ``most_mb`` MiB; else ``refusal``."""
    try:
        return read_bytes(path, most_mb, refusal).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refusal(
            f"cannot read {path}: byte {error.start} is no UTF-8; save the file in that encoding"
        ) from error


def read_yaml(path: Path, refusal: Refusal = ConfigError) -> dict[str, Any]:
    """Mapping in a YAML (or JSON) file.

    Raises:
        GraspPoseNetError: a ``refusal``: the file cannot be read, is no YAML, says a key twice, holds too much, or its top
            level is no mapping.
    """
    text = read_text(path, 1, refusal)
    try:
        loader = _Loader(text)
        loader.name = path.name  # for its errors
        data = loader.get_single_data()
    except Exception as error:  # of numbers and dates that are none PyYAML lets anything through
        why = "nested too deeply" if isinstance(error, RecursionError) else one_line(error)
        raise refusal(f"{path} is not valid YAML: {why}") from error
    if not isinstance(data, dict):
        raise refusal(f"{path}: expected a mapping at the top level, found {type(data).__name__}")
    return data


class _Loader(yaml.SafeLoader):
    """PyYAML's own, but for files that say a key twice, or little that claims to be much."""

    def get_single_node(self) -> Any:
        """The document, its size known."""
        node = super().get_single_node()
        if node is not None:
            _size(node, {})
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Mapping whose keys are all different."""
        plain = (
            [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if hasattr(node, "value")
            else []
        )
        seen = set()
        for key in plain:
            if (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} is there twice", key.start_mark
                )
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Entries of a node, its aliases written out."""
    if id(node) not in known:
        known[id(node)] = MOST_ENTRIES + 1  # while it is counted: a node within itself has no end
        parts: Iterable[Any] = ()
        if isinstance(node, yaml.MappingNode):
            parts = (part for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
        if known[id(node)] > MOST_ENTRIES:
            raise yaml.constructor.ConstructorError(
                None, None, f"more than {MOST_ENTRIES} entries, with aliases written out", node.start_mark
            )
    return known[id(node)]


def parse_json(text: str, where: str, refusal: Refusal = ConfigError) -> dict[str, Any]:
    """JSON object in a text; ``where`` names its origin in errors; else ``refusal``."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else one_line(error)
        raise refusal(f"{where} is not valid JSON: {why}") from error
    if not isinstance(data, dict):
        raise refusal(f"{where}: expected a JSON object, found {type(data).__name__}")
    return data


def read_json(path: Path, refusal: Refusal = ConfigError) -> dict[str, Any]:
    """JSON object in a file; else ``refusal``."""
    return parse_json(read_text(path, 256, refusal), str(path), refusal)


def parse_xml(text: str, where: str, refusal: Refusal = ConfigError) -> ET.Element:
    """Root of an XML text without entities of its own, which can claim to be as long as they like; else ``refusal``."""
    if "<!DOCTYPE" in text:
        raise refusal(f"{where}: a document type (<!DOCTYPE …>) is not taken; leave it out")
    try:
        return ET.fromstring(text)
    except (ET.ParseError, ValueError) as error:  # a NUL is a ValueError
        raise refusal(f"{where} is not valid XML: {one_line(error)}") from error


def attribute(element: ET.Element, name: str, where: str, refusal: Refusal = ConfigError) -> str:
    """An attribute that must be there; else ``refusal``."""
    text = element.get(name)
    if text is None:
        raise refusal(f"{where} lacks {name}")
    return text


def read_arrays(
    path: Path, names: Iterable[str] = (), most_mb: int = ARRAYS_MB, refusal: Refusal = GraspPoseNetError
) -> dict[str, np.ndarray]:
    """Arrays of an ``.npz`` file.

    Args:
        path: the file.
        names: that must be in it; all that are in it without.
        most_mb: of all arrays together, as the file claims them [MiB]; nothing is unpacked before.
        refusal: error to raise.

    Raises:
        GraspPoseNetError: a ``refusal``: no such file or array, one that is cut, of objects, or too large.
    """
    check_file(path, most_mb, refusal)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            chosen = list(names) or list(members)
            if missing := [name for name in chosen if name not in members]:
                raise refusal(f"{path}: no array {missing[0]!r} in it; it has {brief(list(members), WORDS)}")
            if sum(members[name].file_size for name in chosen) > most_mb * MEGABYTE:
                raise refusal(f"{path}: its arrays claim more than {most_mb} MiB")
            return {name: _array(archive, members[name]) for name in chosen}
    except GraspPoseNetError:
        raise
    except Exception as error:  # zipfile and numpy raise anything of files that are none or cut
        raise refusal(f"{path}: cannot be read as arrays ({one_line(error)})") from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """An array whose header claims what is there."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, in_columns, kind = read(stream)
        claimed = math.prod(shape) * kind.itemsize
        data = stream.read()
    if kind.hasobject:
        raise ValueError(f"{member.filename} holds Python objects")
    if min(shape, default=0) < 0 or claimed != len(data):
        raise ValueError(f"{member.filename} claims {claimed} bytes and has {len(data)}")
    return np.frombuffer(data, kind).reshape(shape, order="F" if in_columns else "C").copy()
