"""Make the demo objects: a dozen household shapes of real size, watertight, in metres, always the same.

    python tools/make_demo_objects.py [FOLDER]

Needs manifold3d (trimesh's booleans).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import trimesh
import trimesh.boolean
from trimesh.creation import box, cylinder, revolve, torus

from grasp_pose_net.models import share_dir

SECTIONS = 40
Mesh = trimesh.Trimesh


def turned(outline: Sequence[tuple[float, float]]) -> Mesh:
    """Solid of revolution about z from (radius, height) points, bottom to top, both ends on the axis [cm]."""
    return revolve(np.array(outline) / 100, sections=SECTIONS)


def moved(mesh: Mesh, xyz: Sequence[float], axis: Sequence[float] = (0, 0, 1), degrees: float = 0.0) -> Mesh:
    """The mesh turned about an axis, then shifted [cm]."""
    T = trimesh.transformations.rotation_matrix(np.deg2rad(degrees), axis)
    T[:3, 3] = np.asarray(xyz) / 100
    return mesh.copy().apply_transform(T)


def joined(*parts: Mesh) -> Mesh:
    """Union of parts."""
    return trimesh.boolean.union(parts, engine="manifold")


def less(mesh: Mesh, *holes: Mesh) -> Mesh:
    """The mesh without the holes."""
    return trimesh.boolean.difference([mesh, *holes], engine="manifold")


def block(x: float, y: float, z: float) -> Mesh:
    """Box [cm]."""
    return box(np.array([x, y, z]) / 100)


def rod(radius: float, height: float) -> Mesh:
    """Cylinder along z [cm]."""
    return cylinder(radius / 100, height / 100, sections=SECTIONS)


def mug() -> Mesh:
    """Mug with a handle, 8.4 cm across and 9.5 cm high."""
    handle = moved(torus(0.028, 0.006, major_sections=40, minor_sections=16), (4.4, 0, 5.0), (1, 0, 0), 90)
    cavity = turned([(0, 0.6), (3.6, 0.6), (3.8, 1.0), (3.8, 10), (0, 10)])
    body = turned([(0, 0), (3.9, 0), (4.2, 0.4), (4.2, 9.5), (0, 9.5)])
    return less(joined(body, handle), cavity)


def bottle() -> Mesh:
    """Drinking bottle with a neck and a cap, 7 cm across and 21 cm high."""
    return turned(
        [(0, 0), (3.2, 0), (3.5, 0.4), (3.5, 12), (3.3, 13.5), (2.6, 15.5), (1.6, 17.5), (1.4, 18.2), (1.7,
        18.3), (1.7, 20.7), (1.5, 21), (0, 21)]
    )  # fmt: skip


def can() -> Mesh:
    """Drinks can, 6.6 cm across and 11.5 cm high."""
    return turned([(0, 0), (2.5, 0), (3.3, 1), (3.3, 10.3), (2.7, 11.5), (0, 11.5)])


def bowl() -> Mesh:
    """Bowl, 14 cm across and 6 cm high, with a wall of 5 mm."""
    outside = [(0, 0), (3.0, 0), (3.2, 0.5), (5.0, 1.8), (6.3, 3.6), (7.0, 6.0)]
    inside = [(6.5, 6.0), (5.8, 3.9), (4.6, 2.2), (2.9, 1.0), (0, 0.8)]
    return turned(outside + inside)


def carton() -> Mesh:
    """Box of tea, 7 x 5 x 12 cm."""
    return moved(block(7, 5, 12), (0, 0, 6))


def banana() -> Mesh:
    """Bent fruit, 18 cm from tip to stalk, 3.6 cm thick."""
    angles = np.deg2rad(np.linspace(-50, 50, 25))
    path = np.column_stack([11 * np.sin(angles), 11 - 11 * np.cos(angles), 0 * angles])
    thickness = 1.8 * np.clip(1.08 - (np.abs(np.linspace(-1, 1, 25)) ** 4), 0.28, 1.0)
    rings = []
    for centre, angle, radius in zip(path, angles, thickness, strict=True):
        around = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        outwards = np.array([np.sin(angle), -np.cos(angle), 0])
        rings.append(
            centre + radius * (np.cos(around)[:, None] * outwards + np.sin(around)[:, None] * [0, 0, 1])
        )
    return loft(np.array(rings) / 100)


def loft(rings: np.ndarray) -> Mesh:
    """Closed surface through rings (R, K, 3) of points, capped with a fan at each end."""
    count, around = rings.shape[:2]
    index = np.arange(count * around).reshape(count, around)
    nxt = np.roll(index, -1, axis=1)
    quads = np.stack([index[:-1], nxt[:-1], nxt[1:], index[1:]], -1).reshape(-1, 4)
    vertices = np.vstack([rings.reshape(-1, 3), rings[0].mean(0), rings[-1].mean(0)])
    first, last = count * around, count * around + 1
    caps = [(first, b, a) for a, b in zip(index[0], nxt[0], strict=True)]
    caps += [(last, a, b) for a, b in zip(index[-1], nxt[-1], strict=True)]
    mesh = Mesh(vertices, np.vstack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]], caps]))
    mesh.fix_normals()
    return mesh


def spray_bottle() -> Mesh:
    """Cleaner in a bottle with a spray head and trigger, 25 cm high."""
    body = turned([(0, 0), (3.6, 0), (4.0, 0.5), (4.0, 10), (3.0, 14), (1.5, 17), (1.4, 19), (0, 19)])
    collar = moved(rod(1.8, 2.0), (0, 0, 19))
    head = moved(block(7.0, 2.4, 3.2), (1.2, 0, 21.4))
    nozzle = moved(rod(0.8, 1.6), (5.2, 0, 22), (0, 1, 0), 90)
    trigger = moved(block(0.8, 1.4, 5.0), (3.6, 0, 18.2), (0, 1, 0), 15)
    return joined(body, collar, head, nozzle, trigger)


def cup() -> Mesh:
    """Conical cup, 8 cm across the rim, 10 cm high, with a wall of 3 mm."""
    return turned([(0, 0), (2.7, 0), (4.0, 10), (3.7, 10), (2.45, 0.4), (0, 0.4)])


def ball() -> Mesh:
    """Tennis ball, 6.7 cm."""
    return trimesh.creation.icosphere(subdivisions=3, radius=0.0335)


def marker() -> Mesh:
    """Large marker pen, 2.4 cm thick and 14 cm long."""
    return turned([(0, 0), (1.1, 0), (1.2, 0.2), (1.2, 8.5), (1.05, 8.6), (1.05, 13), (0.8, 14), (0, 14)])


def jar() -> Mesh:
    """Jam jar with a lid, 8 cm across and 10 cm high."""
    return turned(
        [(0, 0), (3.6, 0), (4.0, 0.5), (4.0, 7.0), (3.4, 8.0), (3.6, 8.1), (3.6, 9.8), (3.4, 10), (0, 10)]
    )


def dumbbell() -> Mesh:
    """Hand weight, 16 cm long, bar of 3 cm, heads of 6.4 cm."""
    heads = [moved(rod(3.2, 4), (0, 0, z)) for z in (-6, 6)]
    return joined(rod(1.5, 10), *heads)


OBJECTS: tuple[Callable[[], Mesh], ...] = (
    mug, bottle, can, bowl, carton, banana, spray_bottle, cup, ball, marker, jar, dumbbell,
)  # fmt: skip


def main() -> None:
    """Write every object as PLY."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else share_dir() / "models" / "objects"
    for make in OBJECTS:
        mesh = make()
        mesh.merge_vertices()
        if not mesh.is_watertight or mesh.volume <= 0:
            raise RuntimeError(f"{make.__name__} is not watertight")
        mesh.apply_translation(-mesh.center_mass)
        (folder / f"{make.__name__}.ply").write_bytes(
            trimesh.exchange.ply.export_ply(mesh, vertex_normal=False)
        )
        size = " x ".join(f"{100 * e:.1f}" for e in mesh.extents)
        print(f"{make.__name__:13} {size:>20} cm  {mesh.volume * 1e6:6.0f} cm³  {len(mesh.faces):5} faces")


if __name__ == "__main__":
    main()
