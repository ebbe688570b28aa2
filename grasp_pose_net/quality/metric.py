"""The ε-metric (Ferrari and Canny, 1992): how strong a disturbance a grasp resists in the worst direction.

ε is the radius of the largest ball around the origin inside the convex hull of all contacts' friction-cone
edge wrenches (L1). Each edge has unit force along the normal plus μ across; torques are taken about the
centre of mass and divided by the largest distance from there to the surface, so that ε has no unit (as in
GraspIt!; Miller and Allen, 2004). Single grasps and batches go the same way, and have the exact value (see `ball`).
"""

from __future__ import annotations

import numpy as np
import torch

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.quality.ball import largest_balls
from grasp_pose_net.quality.contact import Contacts, contacts, contacts_at
from grasp_pose_net.shapes import SignedDistanceField

FRICTION = 0.6
CONE_EDGES = 8
# A normal that passes the centre of mass this close, relative to the radius, points at it.
CENTRAL_RATIO = 1e-3


def epsilon(
    points: np.ndarray, normals: np.ndarray, radius: float, mu: float = FRICTION, edges: int = CONE_EDGES
) -> float:
    """ε of one grasp.

    Args:
        points: (C, 3) contacts [m], from the centre of mass.
        normals: (C, 3) unit, into the object.
        radius: largest distance from the centre of mass to the surface [m].
        mu: friction coefficient.
        edges: of the pyramid that stands for the friction cone.

    Returns:
        ε >= 0; 0 where the contacts cannot resist some direction, or their hull has no volume.
    """
    wrenches = cone_wrenches(points, normals, radius, mu, edges)
    return float(largest_balls(wrenches, np.array([0, len(wrenches)]))[0])


def cone_wrenches(
    points: np.ndarray, normals: np.ndarray, radius: float, mu: float = FRICTION, edges: int = CONE_EDGES
) -> np.ndarray:
    """Wrenches (C * edges, 6) of the friction cones' edges, contact by contact: force, then torque / radius.

    The first edge leans away from the centre of mass, so that the pyramids turn with the object. Where the
    normal points at the centre there is no such direction, and the first edge leans along a coordinate axis.

    Args:
        points: (C, 3) contacts [m], from the centre of mass.
        normals: (C, 3) unit, into the object.
        radius: largest distance from the centre of mass to the surface [m].
        mu: friction coefficient.
        edges: of each pyramid.
    """
    points, normals = _checked(points, "points"), _checked(normals, "normals")
    if len(points) != len(normals):
        raise ValueError(f"expected as many normals as points, got {len(normals)} and {len(points)}")
    if not 0 < radius < np.inf:
        raise ValueError(f"radius: expected a positive number of metres, got {radius}")
    if not 0 <= mu < np.inf:
        raise ValueError(f"mu: expected at least 0, got {mu}")
    if edges < 3:
        raise ValueError(f"edges: expected at least 3, got {edges}")
    first = _across(normals, points)
    length = np.linalg.norm(first, axis=1, keepdims=True)
    axis = np.eye(3)[np.abs(normals).argmin(1)]
    first = np.where(length > CENTRAL_RATIO * radius, first, _across(normals, axis))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(normals, first)
    angles = 2 * np.pi * np.arange(edges)[:, None] / edges
    sideways = np.cos(angles) * first[:, None] + np.sin(angles) * second[:, None]  # (C, K, 3)
    forces = normals[:, None] + mu * sideways
    return np.concatenate([forces, np.cross(points[:, None], forces) / radius], axis=-1).reshape(-1, 6)


def epsilon_batch(touching: Contacts, radius: float, mu: float = FRICTION) -> torch.Tensor:
    """ε of many grasps, each as `epsilon` has it; 0.4 ms of one core for a grasp with 28 contacts.

    Args:
        touching: contacts of B grasps.
        radius: largest distance from the centre of mass to the surface [m].
        mu: friction coefficient.

    Returns:
        (B,) float64, >= 0.
    """
    return _epsilons(touching, radius, mu, group=1)


def _epsilons(touching: Contacts, radius: float, mu: float, group: int) -> torch.Tensor:
    """ε of the weakest of each group of so many grasps, (B / group,)."""
    mask = touching.touching.numpy()
    points, normals = (part.double().numpy()[mask] for part in (touching.points, touching.normals))
    first = np.concatenate([[0], mask.sum(1).cumsum()]) * CONE_EDGES
    return torch.from_numpy(largest_balls(cone_wrenches(points, normals, radius, mu), first, group))


def worst_epsilon(
    hand: Hand, kinematics: Kinematics, field: SignedDistanceField, x: torch.Tensor, off_m: float
) -> torch.Tensor:
    """Smallest ε (B,) of each grasp where it is, and with the hand off by a distance along each axis, both ways.

    A grasp that loses its force closure when cameras are a little wrong is worth less than its ε.

    Args:
        hand: the hand.
        kinematics: its kinematics, in the dtype of x.
        field: the object's signed distance field.
        x: (B, 7 + J) pose vectors, object frame.
        off_m: how far off [m].
    """
    offsets = off_m * np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])
    with torch.no_grad():
        points, _ = kinematics.contacts(x)
    moved = points.double().cpu().numpy()[:, None] + offsets[:, None]  # (B, 7, P, 3)
    touching = contacts_at(field, moved.reshape(-1, *moved.shape[2:]))
    return _epsilons(touching, field.radius, FRICTION, group=len(offsets))


def epsilon_of(hand: Hand, field: SignedDistanceField, x: np.ndarray, mu: float = FRICTION) -> np.ndarray:
    """ε (B,) of grasps on an object.

    Args:
        hand: the hand.
        field: the object's signed distance field.
        x: (B, 7 + J) pose vectors, object frame.
        mu: friction coefficient.
    """
    kinematics = Kinematics(hand, torch.float64)
    x64 = torch.tensor(np.asarray(x, np.float64))
    return epsilon_batch(contacts(hand, kinematics, field, x64), field.radius, mu).numpy()


def _across(normals: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Part (C, 3) of vectors (C, 3) at right angles to unit normals (C, 3)."""
    return vectors - (vectors * normals).sum(1, keepdims=True) * normals


def _checked(vectors: np.ndarray, name: str) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    if vectors.ndim != 2 or vectors.shape[1] != 3:
        raise ValueError(f"{name}: expected (C, 3), got {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    return vectors
