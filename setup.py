"""Builds grasp_pose_net as an ament_python package; `package.xml` is the source of name and version."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
MANIFEST = ElementTree.parse(HERE / "package.xml").getroot()
NAME = MANIFEST.findtext("name")
NODES = ("perception", "inference", "refinement", "executor", "simulation")


def data_files() -> list[tuple[str, list[str]]]:
    """Files for the share folder, with their folders kept: (target folder, files relative to here)."""
    found = [
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ]
    for top in ("launch", "config", "models"):
        for folder in sorted({path.parent for path in (HERE / top).rglob("*") if is_data(path)}):
            here = folder.relative_to(HERE)
            files = [str(here / path.name) for path in sorted(folder.iterdir()) if is_data(path)]
            found.append((f"share/{NAME}/{here}", files))
    return found


def is_data(path: Path) -> bool:
    """Whether a file belongs to the package, not to Python's cache."""
    return path.is_file() and "__pycache__" not in path.parts


setup(
    name=NAME,
    version=MANIFEST.findtext("version"),
    description=MANIFEST.findtext("description"),
    license=MANIFEST.findtext("license"),
    author=MANIFEST.findtext("maintainer"),
    author_email=MANIFEST.find("maintainer").get("email"),
    maintainer=MANIFEST.findtext("maintainer"),
    maintainer_email=MANIFEST.find("maintainer").get("email"),
    python_requires=">=3.10,<3.14",
    packages=find_packages(exclude=["test", "test.*"]),
    data_files=data_files(),
    # ray for `synthesize --backend ray`; colcon runs the tests with what "test" names, and runs none without
    extras_require={"ray": ["ray>=2.40"], "test": ["pytest"]},
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "grasp-pose-net = grasp_pose_net.cli:main",
            *(f"{node} = grasp_pose_net.nodes.{node}:main" for node in NODES),
        ]
    },
)
