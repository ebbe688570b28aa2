"""Which objects are for training and which for testing: decided here and nowhere else.

The split is by object name, never by grasp or rotation, so that no grasp of a test object is ever trained on.
"""

from __future__ import annotations

import hashlib
from typing import Literal

TEST_PERCENT = 20


def split_of(name: str) -> Literal["train", "test"]:
    """Side of an object in the 80/20 split, the same on every machine and for ever.

    Args:
        name: "source/name" of the object, such as "kit/BathDetergent" (no file extension).
    """
    return "test" if object_hash(name) % 100 < TEST_PERCENT else "train"


def object_hash(name: str) -> int:
    """First eight bytes of the SHA-256 of an object's "source/name", as a number."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
