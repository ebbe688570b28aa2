"""Compute the SRDF's disabled collision pairs by sampling; groups and states stay as they are.

    python tools/make_srdf.py [models/robots/ur10_shadow/ur10_shadow.srdf]

A pair of links is disabled as
  Adjacent  one joint joins them (links without shapes do not count), or two whose axes meet in one point,
  Default   they touch with every joint at zero, where the robot is known to be fine,
  Never     no sample brought them within 1 cm of each other.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pinocchio as pin

from grasp_pose_net.models import robot_urdf, share_dir

SAMPLES = 10000
NEVER_MARGIN_M = 0.01
Pair = tuple[str, str]


def main() -> None:
    """Rewrite the disable_collisions lines of one SRDF."""
    default = share_dir() / "models" / "robots" / "ur10_shadow" / "ur10_shadow.srdf"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    reasons = disabled_pairs(robot_urdf(path.stem), np.random.default_rng(0))
    lines = [
        f'  <disable_collisions link1="{a}" link2="{b}" reason="{why}"/>' for (a, b), why in reasons.items()
    ]
    kept = re.sub(r"\n *<disable_collisions [^>]*/>", "", path.read_text()).rstrip()
    path.write_text(kept.removesuffix("</robot>").rstrip() + "\n\n" + "\n".join(lines) + "\n</robot>\n")
    counts = {why: list(reasons.values()).count(why) for why in ("Adjacent", "Default", "Never")}
    print(f"{path}: {len(lines)} pairs disabled {counts}")


def disabled_pairs(urdf: str, rng: np.random.Generator) -> dict[Pair, str]:
    """Link pairs that need no collision check, with the reason, in a fixed order."""
    model = pin.buildModelFromXML(urdf)
    geometry = pin.buildGeomFromUrdfString(model, urdf, pin.GeometryType.COLLISION)
    links = [model.frames[shape.parentFrame].name for shape in geometry.geometryObjects]
    joints = [shape.parentJoint for shape in geometry.geometryObjects]
    shapes = range(len(links))
    pairs = [(i, j) for i in shapes for j in shapes if i < j and links[i] != links[j]]
    reasons: dict[Pair, str] = {}
    for i, j in pairs:
        if (
            joints[i] == joints[j]
            or joints[i] in neighbours(model, joints[j])
            or joints[j] in neighbours(model, joints[i])
        ):
            reasons[_key(links[i], links[j])] = "Adjacent"
    for i, j in _touching(model, geometry, pairs, [neutral(model)], 0.0):
        reasons.setdefault(_key(links[i], links[j]), "Default")
    rest = [(i, j) for i, j in pairs if _key(links[i], links[j]) not in reasons]
    near = {
        _key(links[i], links[j])
        for i, j in _touching(model, geometry, rest, samples(model, rng), NEVER_MARGIN_M)
    }
    for i, j in rest:
        if _key(links[i], links[j]) not in near:
            reasons[_key(links[i], links[j])] = "Never"
    return dict(sorted(reasons.items()))


def neighbours(model: pin.Model, joint: int) -> list[int]:
    """Joint that carries this one, and the one before where both turn about the same point (a knuckle)."""
    parent = model.parents[joint]
    knuckle = parent and model.parents[parent] and np.allclose(model.jointPlacements[joint].translation, 0)
    return [parent, model.parents[parent]] if knuckle else [parent]


def neutral(model: pin.Model) -> np.ndarray:
    """All joints at zero, or at the limit nearest to it."""
    return np.clip(np.zeros(model.nq), model.lowerPositionLimit, model.upperPositionLimit)


def samples(model: pin.Model, rng: np.random.Generator) -> np.ndarray:
    """Random configurations (SAMPLES, nq) within the limits, the last two joints of a finger coupled."""
    q = rng.uniform(model.lowerPositionLimit, model.upperPositionLimit, (SAMPLES, model.nq))
    column = {name: model.joints[i].idx_q for i, name in enumerate(model.names) if i}
    for finger in ("FF", "MF", "RF", "LF"):
        q[:, column[f"rh_{finger}J1"]] = q[:, column[f"rh_{finger}J2"]]
    return q


def _touching(
    model: pin.Model,
    geometry: pin.GeometryModel,
    pairs: list[tuple[int, int]],
    configurations: np.ndarray,
    margin: float,
) -> set[tuple[int, int]]:
    """Shape pairs nearer than ``margin`` in any configuration; a pair found once is not asked again."""
    geometry.removeAllCollisionPairs()
    for i, j in pairs:
        geometry.addCollisionPair(pin.CollisionPair(i, j))
    data, geometry_data = model.createData(), geometry.createData()
    for request in geometry_data.collisionRequests:
        request.security_margin = margin
    found = set()
    for q in configurations:
        pin.computeCollisions(model, data, geometry, geometry_data, q, False)
        for k, result in enumerate(geometry_data.collisionResults):
            if geometry_data.activeCollisionPairs[k] and result.isCollision():
                found.add(pairs[k])
                geometry_data.deactivateCollisionPair(k)
    return found


def _key(a: str, b: str) -> Pair:
    return (a, b) if a < b else (b, a)


if __name__ == "__main__":
    main()
