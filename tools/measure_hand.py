"""How far a shipped hand's collision shapes are from its maker's meshes, link by link.

    python tools/measure_hand.py shadow --maker shadow.urdf --package sr_description=DIR --json docs/results/hand_shadow.json

The maker's URDF and meshes are fetched beside the project (reading DAE takes `pip install pycollada`). Only what an
object can touch counts: the places where a ball of 5 mm radius can rest, with the hand open or half closed. Screw holes,
gaps and the insides of meshes are closed by that ball. Distances run both ways, from the maker's surface to ours
and back: + where ours stands out, - where the real hand does.
"""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open3d as o3d
import trimesh
from scipy.ndimage import distance_transform_edt, label, map_coordinates
from trimesh.transformations import euler_matrix

from grasp_pose_net.hand import Hand
from grasp_pose_net.hand.primitives import Solid, exposed_points, signed_distance
from grasp_pose_net.hand.urdf import Urdf, parse_urdf
from grasp_pose_net.markdown import table
from grasp_pose_net.provenance import record
from grasp_pose_net.storage import save_json
from grasp_pose_net.world import Array, inverse_transform, transform_points

PROBE_M = 0.005  # radius of the ball that an object's edge is taken for
SPACING_M = 0.001  # of points on surfaces
HALF_CLOSED_RAD = 0.8
STAND_IN_M = 0.002  # makers mark links without a shape by boxes smaller than this


@dataclass(frozen=True, eq=False)
class Skin:
    """A link's mesh as a signed distance on a grid, closed by the ball.

    Attributes:
        values: (X, Y, Z) [m], positive outside.
        origin: (3,) [m] of the first grid point, in the link's frame.
        pitch: [m].
    """

    values: Array
    origin: Array
    pitch: float

    def distance(self, points: Array) -> Array:
        """Signed distance (N,) [m] of points (N, 3) in the link's frame; what is beyond the grid is far away."""
        index = ((points - self.origin) / self.pitch).T
        far = float(self.values.max())
        return map_coordinates(self.values, index, order=1, mode="constant", cval=far)

    def surface(self) -> tuple[Array, Array]:
        """Points (N, 3) on the skin, one for each grid cell that it crosses, and their outward normals (N, 3)."""
        near = np.argwhere(np.abs(self.values) < self.pitch / 2)
        points = self.origin + near * self.pitch
        normals = _gradient(self.distance, points, self.pitch)
        return points - self.distance(points)[:, None] * normals, normals


def close(mesh: trimesh.Trimesh, pitch: float) -> Skin:
    """The solid that a ball of `PROBE_M` finds when it rolls over the mesh from outside."""
    margin = 2 * PROBE_M
    origin = mesh.bounds[0] - margin
    shape = np.ceil((mesh.bounds[1] + margin - origin) / pitch).astype(int) + 1
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(mesh.vertices.astype(np.float32)), o3d.core.Tensor(mesh.faces.astype(np.uint32))
    )
    grid = np.stack(np.meshgrid(*(np.arange(n) * pitch for n in shape), indexing="ij"), -1) + origin
    distance = scene.compute_distance(o3d.core.Tensor(grid.astype(np.float32))).numpy()
    regions, _ = label(distance > PROBE_M)
    centres = regions == regions[0, 0, 0]  # where the ball's centre can be
    beyond = distance_transform_edt(~centres) * pitch
    return Skin(np.where(centres, distance, PROBE_M - beyond + pitch / 4), origin, pitch)


def maker_meshes(urdf: str, packages: dict[str, Path]) -> dict[str, trimesh.Trimesh]:
    """What is drawn of each link, in the link's frame [m].

    Raises:
        FileNotFoundError: a mesh that is not there.
    """
    meshes = {}
    for link in ET.fromstring(urdf).findall("link"):
        parts = [part for visual in link.findall("visual") for part in _drawn(visual, packages)]
        if parts:
            meshes[link.attrib["name"]] = trimesh.util.concatenate(parts)
    return meshes


def _drawn(visual: ET.Element, packages: dict[str, Path]) -> list[trimesh.Trimesh]:
    mesh, origin = visual.find("geometry/mesh"), visual.find("origin")
    if mesh is None or "${" in mesh.attrib["filename"]:
        return []  # a stand-in, or a part that no version of the hand has
    path = mesh.attrib["filename"]
    for name, folder in packages.items():
        path = path.replace(f"package://{name}", str(folder))
    drawn = trimesh.load(path, force="mesh")
    drawn.apply_scale([float(number) for number in mesh.attrib.get("scale", "1 1 1").split()])
    if origin is not None:
        pose = euler_matrix(*map(float, origin.attrib.get("rpy", "0 0 0").split()))
        pose[:3, 3] = [float(number) for number in origin.attrib.get("xyz", "0 0 0").split()]
        drawn.apply_transform(pose)
    return [drawn] if drawn.extents.max() > STAND_IN_M else []


def link_poses(urdf: Urdf, angles: dict[str, float]) -> dict[str, Array]:
    """Pose (4, 4) of every link in the root's frame; joints that are not named stand at zero."""
    poses = {urdf.root_link: np.eye(4)}
    for joint in urdf.joints:
        turn = trimesh.transformations.rotation_matrix(angles.get(joint.name, 0.0), joint.axis)
        poses[joint.child] = poses[joint.parent] @ joint.T_parent_joint @ turn
    return poses


def postures(hand: Hand) -> list[dict[str, float]]:
    """Open (all joints at zero) and half closed."""
    closing = dict(
        zip(hand.joint_names, hand.all_joints(HALF_CLOSED_RAD * np.sign(hand.closing)), strict=True)
    )
    return [{}, closing]


def touchable(
    points: Array, normals: Array, link: str, poses: list[dict[str, Array]], solid: dict
) -> np.ndarray:
    """(N,) whether the ball can rest on points of a link, in any of the postures.

    Args:
        points: (N, 3) [m] on the skin, in the link's frame.
        normals: (N, 3) outward.
        link: its name.
        poses: of all links, for each posture.
        solid: distance function of each link, in the link's frame.
    """
    centres, found = points + PROBE_M * normals, np.zeros(len(points), bool)
    for posture in poses:
        free = np.ones(len(points), bool)
        for other, distance in solid.items():
            relative = inverse_transform(posture[other]) @ posture[link]
            free &= distance(transform_points(relative, centres)) > 0.9 * PROBE_M
        found |= free
    return found


def union(shapes: tuple[Solid, ...]):
    """Distance function of the union of a link's shapes."""
    return lambda points: np.min([signed_distance(shape, points) for shape in shapes], axis=0)


def compare(hand: Hand, skins: dict[str, Skin]) -> dict[str, dict]:
    """For each link with a skin: distances [mm] from the maker's surface to ours and back."""
    poses = [link_poses(parse_urdf(hand.urdf), angles) for angles in postures(hand)]
    own = {
        name: union(shapes)
        for name in hand.tree.names
        if (shapes := tuple(shape for shape in hand.shapes if shape.link == name))
    }
    theirs = {name: skin.distance for name, skin in skins.items()}
    rows = {}
    for name, skin in skins.items():
        points, normals = skin.surface()
        points = points[touchable(points, normals, name, poses, theirs)]
        shapes = tuple(shape for shape in hand.shapes if shape.link == name)
        back = exposed_points(shapes, SPACING_M)
        back = back[touchable(back, _gradient(own[name], back, 1e-4), name, poses, own)]
        rows[name] = {
            "to ours": _figures(-own[name](points)),
            "to the maker's": _figures(skin.distance(back)),
        }
    return rows


def _figures(signed: Array) -> dict[str, float]:
    if len(signed) == 0:
        return {"points": 0}
    size = np.abs(signed) * 1000
    return {
        "points": len(signed),
        "p50_mm": round(float(np.median(size)), 2),
        "p95_mm": round(float(np.percentile(size, 95)), 2),
        "largest_mm": round(float(size.max()), 2),
        "mean_signed_mm": round(float(signed.mean() * 1000), 2),
    }


def _gradient(distance, points: Array, step: float) -> Array:
    """Unit gradients (N, 3) of a distance function."""
    steps = step * np.eye(3)
    slope = np.stack([distance(points + s) - distance(points - s) for s in steps], axis=1)
    return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)


def grid_pitch(mesh: trimesh.Trimesh) -> float:
    """Half a millimetre, more for links that would take more than about eight million cells."""
    return max(0.0005, float(np.cbrt(np.prod(mesh.extents + 4 * PROBE_M) / 8e6)))


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("hand", help="name of a hand in models/hands, or path of a hand.yaml")
    parser.add_argument(
        "--maker", type=Path, required=True, help="the maker's URDF, with links of the same names"
    )
    parser.add_argument("--package", action="append", default=[], help="NAME=FOLDER of the maker's meshes")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    hand = Hand.load(options.hand)
    packages = {name: Path(folder) for name, folder in (entry.split("=", 1) for entry in options.package)}
    meshes = maker_meshes(options.maker.read_text(), packages)
    skins = {
        name: close(meshes[name], grid_pitch(meshes[name])) for name in hand.tree.names if name in meshes
    }
    rows = compare(hand, skins)
    figures = ("p50_mm", "p95_mm", "largest_mm", "mean_signed_mm")
    head = ("link", *(f"{way}: {name}" for way in ("to ours", "to the maker's") for name in figures))
    lines = table(
        head, [[name, *(w.get(f, "-") for w in row.values() for f in figures)] for name, row in rows.items()]
    )
    print("\n".join(lines))
    if options.json:
        save_json(options.json, {"hand": hand.name, "links": rows, **record()})


if __name__ == "__main__":
    main()
