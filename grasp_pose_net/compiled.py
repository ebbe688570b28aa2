"""Compiled functions, kept on disk where that is possible and compiled again where it is not.

numba keeps what it compiled beside the source, else in the user's cache folder, and gives up where neither can be written: a
read-only installation, a service without a home directory. It trusts what it kept: a file that a full or failing disk cut
short ends the process. Here the folder for temporary files is the last resort, and every file has a checksum.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, UserWideCacheLocator

from grasp_pose_net.storage import cache_dir

logger = logging.getLogger(__name__)

DIGEST_BYTES = hashlib.sha256().digest_size


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: compile a function of numbers and arrays at its first call, and keep that for later processes.

    Args:
        options: of ``numba.njit``.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        made = numba.njit(**options)(function)
        if hasattr(made, "enable_caching"):  # not where NUMBA_DISABLE_JIT leaves it as it is
            try:
                made._cache = _Kept(function)
            except (RuntimeError, OSError) as error:
                logger.warning("compiled code cannot be kept, every process compiles anew: %s", error)
        return made

    return decorate


class _OwnFolder(UserWideCacheLocator):
    """The package's folder for what can be computed again."""

    def __init__(self, function: Any, file: str) -> None:
        super().__init__(function, file)
        self._cache_path = os.path.join(cache_dir(), "compiled", self.get_suitable_cache_subpath(file))


class _Place(CompileResultCacheImpl):
    """Where compiled code is kept: numba's own places, then ours."""

    _locator_classes = [*CompileResultCacheImpl._locator_classes, _OwnFolder]  # noqa: RUF012  # as numba has it


class _Files(IndexDataCacheFile):
    """Files whose ends are checksums; unpickling ignores what follows. One that is broken counts as missing."""

    def _dump(self, obj: Any) -> bytes:
        data = super()._dump(obj)
        return data + hashlib.sha256(data).digest()

    def _load_index(self) -> dict[Any, str]:
        try:
            with open(self._index_path, "rb") as stream:
                pickle.load(stream)  # numba's version
                _check(stream.read())
            return super()._load_index()
        except Exception:  # whatever unpickling makes of it
            return {}

    def _load_data(self, name: str) -> Any:
        _check(Path(self._data_path(name)).read_bytes())
        return super()._load_data(name)


class _Kept(FunctionCache):
    """numba's cache of one function, which a broken file or a full disk does not stop."""

    _impl_class = _Place

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        there = self._cache_file
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, there._source_stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # also a type that is gone since
            logger.info("%s: compiled again: %s", self._name, error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            logger.warning("compiled code is not kept: %s", error)


def _check(data: bytes) -> None:
    """Raise OSError, which numba takes for a missing file, where the end is not the checksum of what is before."""
    if hashlib.sha256(data[:-DIGEST_BYTES]).digest() != data[-DIGEST_BYTES:]:
        raise OSError("it is broken")
