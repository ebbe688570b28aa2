"""How a part of a node is, as it says on ``/diagnostics``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus


@dataclass(frozen=True)
class Health:
    """How something is.

    Attributes:
        text: in words.
        level: of ``DiagnosticStatus``: OK, WARN or ERROR.
        values: figures by name.
    """

    text: str
    level: bytes = DiagnosticStatus.OK
    values: Mapping[str, Any] = field(default_factory=dict)
