"""Writes docs/parameters.md, the table of all nodes' parameters, from the dataclasses that declare them."""

from __future__ import annotations

import importlib
from dataclasses import MISSING
from pathlib import Path

from grasp_pose_net.config import range_text
from grasp_pose_net.nodes.support.parameters import ParameterSpec, specs

PAGE = Path(__file__).parent.parent / "docs" / "parameters.md"
# node -> module of the dataclass, its name
PARAMETERS = {
    "perception": ("grasp_pose_net.nodes.perception", "PerceptionParameters"),
    "inference": ("grasp_pose_net.nodes.inference", "InferenceParameters"),
    "refinement": ("grasp_pose_net.nodes.refinement", "RefinementParameters"),
    "executor": ("grasp_pose_net.nodes.executor", "ExecutorParameters"),
    "simulation": ("grasp_pose_net.nodes.simulation", "SimulationNodeConfig"),
}
HEAD = """# Parameters

Made by `python tools/make_parameter_page.py` from what the nodes declare; `ros2 param describe /<node> <parameter>` says the
same. All are read when the node starts; those marked *live* may be set while it runs, the others are read-only. The files of
`config/` hold what differs from the defaults here.
"""


def parameters_class(node: str) -> type:
    """The dataclass that holds a node's parameters."""
    module, name = PARAMETERS[node]
    return getattr(importlib.import_module(module), name)


def page() -> str:
    """The whole page."""
    return HEAD + "".join(section(node) for node in PARAMETERS)


def section(node: str) -> str:
    """Heading and table of one node."""
    rows = "".join(row(spec) for spec in specs(parameters_class(node)))
    return (
        f"\n## {node}\n\n| parameter | type | default | valid | what it is |\n|---|---|---|---|---|\n{rows}"
    )


def row(spec: ParameterSpec) -> str:
    """One line of a table."""
    kind = spec.type.name.lower().replace("_array", "[]").replace("_", " ")
    default = "*must be given*" if spec.default is MISSING else f"`{value_text(spec.default)}`"
    valid = ", ".join(f"`{choice}`" for choice in spec.choices)
    if spec.range:
        valid = range_text(spec.range)
    doc = spec.doc + (" (*live*)" if spec.live else "")
    return f"| `{spec.name}` | {kind} | {default} | {valid} | {doc} |\n"


def value_text(value: object) -> str:
    """A value as a parameter file has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(value_text, value))}]"
    return '""' if value == "" else str(value)


if __name__ == "__main__":
    PAGE.write_text(page())
    print(PAGE)
