"""Where the package's data files are: in the source tree, or in ``share/grasp_pose_net`` once installed."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.reading import one_line, read_text

PACKAGE = "grasp_pose_net"
MOST_NAMES = 30  # of a folder that are listed


@lru_cache
def share_dir() -> Path:
    """Folder that holds ``models/``, ``config/`` and ``launch/``.

    Raises:
        ConfigError: neither the source tree nor an installation has it.
    """
    here = Path(__file__).resolve()
    # site-packages of an install prefix is <prefix>/lib/pythonX.Y/site-packages (or, with Debian, local/lib/…)
    places = [here.parent.parent, Path(sys.prefix) / "share" / PACKAGE]
    places += [parent / "share" / PACKAGE for parent in here.parents]
    for place in places:
        if (place / "models" / "hands").is_dir():
            return place
    raise ConfigError(f"models/ of {PACKAGE} is not installed; looked in {', '.join(map(str, places))}")


def config_file(name: str) -> Path:
    """Path of a file of ``config/``."""
    return _existing(share_dir() / "config" / name)


def hand_file(name: str) -> Path:
    """Path of ``models/hands/<name>/hand.yaml``, or ``name`` itself where it is a path to a YAML file."""
    if name.endswith((".yaml", ".yml")):
        return _existing(Path(name))
    return _existing(share_dir() / "models" / "hands" / name / "hand.yaml")


def hand_names() -> list[str]:
    """Hands of ``models/hands``."""
    return sorted(path.parent.name for path in (share_dir() / "models" / "hands").glob("*/hand.yaml"))


def network_file(name: str) -> Path:
    """Path of ``models/networks/<name>.safetensors``, or ``name`` itself where it is a path to such a file."""
    if name.endswith(".safetensors"):
        return _existing(Path(name))
    return _existing(share_dir() / "models" / "networks" / f"{name}.safetensors")


def robot_urdf(name: str = "ur10_shadow") -> str:
    """URDF text of ``models/robots/<name>``, or of a URDF or xacro file by its path; xacro is expanded."""
    if name.endswith((".urdf", ".xacro")):
        return expand_xacro(_existing(Path(name).expanduser()))
    return expand_xacro(_existing(share_dir() / "models" / "robots" / name / f"{name}.urdf.xacro"))


def robot_srdf(name: str = "ur10_shadow") -> str:
    """SRDF text of ``models/robots/<name>``, or of an SRDF file by its path."""
    if name.endswith(".srdf"):
        return read_text(_existing(Path(name).expanduser()))
    return read_text(_existing(share_dir() / "models" / "robots" / name / f"{name}.srdf"))


def robot_config_file(name: str, file: str) -> Path:
    """Path of a file of ``models/robots/<name>/config``, MoveIt's configuration of the robot."""
    return _existing(share_dir() / "models" / "robots" / name / "config" / file)


def expand_xacro(path: Path) -> str:
    """URDF text of a xacro (or plain URDF) file.

    Raises:
        ConfigError: the file is missing, or xacro refuses it.
    """
    import xacro

    text = read_text(_existing(path))
    if "<!DOCTYPE" in text:  # entities, which claim to be as long as they like
        raise ConfigError(f"{path}: a document type (<!DOCTYPE …>) is not taken; leave it out")
    try:
        return xacro.process_file(str(path)).toxml()
    except Exception as error:  # a xacro file is a program: its expressions raise anything
        why = "it nests without end" if isinstance(error, RecursionError) else one_line(error)
        raise ConfigError(f"{path}: xacro failed: {why}") from error


def _existing(path: Path) -> Path:
    if path.exists():
        return path
    folder = path.parent if path.parent.is_dir() else path.parent.parent
    try:
        found = sorted(p.name for p in folder.iterdir())
    except OSError:
        found = []
    text = ", ".join(found[:MOST_NAMES]) + (", …" if len(found) > MOST_NAMES else "")
    raise ConfigError(f"{path} does not exist; {folder} has: {text or 'nothing'}")
