"""What a hand is, in figures: for a look at a new hand before anything is planned with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from grasp_pose_net.hand.hand import Hand
from grasp_pose_net.hand.kinematics import Kinematics


def summarize(hand: Hand) -> dict[str, Any]:
    """Joints with limits [rad] and followers, contact points, and how the collision spheres stand.

    ``open_gap_m`` is the smallest gap between spheres of the open hand that may not meet; None where none can.
    """
    figures = (hand.lower, hand.upper, hand.open_joints, hand.closing, hand.joint_ratios.T.tolist())
    rows = zip(hand.independent_names, *figures, strict=True)
    rest = hand.all_joints(np.zeros(len(hand.lower))).tolist()
    angles = zip(hand.joint_names, rest, hand.joint_ratios, strict=True)
    counts = np.bincount(hand.contacts.digit, minlength=len(hand.digit_names))
    return {
        "name": hand.name,
        "pose_size": hand.size,
        "base_link": hand.base_link,
        "root_link": hand.root_link,
        "joints": {
            name: {
                "lower": float(lower),
                "upper": float(upper),
                "open": float(start),
                "closing": float(closing),
                "followers": {o: r for o, r in zip(hand.joint_names, ratios, strict=True) if r and o != name},
            }
            for name, lower, upper, start, closing, ratios in rows
        },
        "fixed": {name: angle for name, angle, ratios in angles if not ratios.any()},
        "contacts": dict(zip(hand.digit_names, counts.tolist(), strict=True)),
        "spheres": len(hand.spheres.radius),
        "self_pairs": len(hand.self_pairs),
        "open_gap_m": _open_gap(hand),
    }


def table(summary: dict[str, Any]) -> str:
    """The summary as text."""
    s = summary
    lines = [f"{s['name']}: x has {s['pose_size']} numbers: pose of {s['base_link']} (7) and joints [rad]"]
    lines += [f"  {'joint':<16}{'lower':>8}{'upper':>8}{'open':>8}{'closing':>9}  followers"]
    for name, joint in s["joints"].items():
        figures = "".join(f"{joint[key]:8.3f}" for key in ("lower", "upper", "open"))
        followers = ", ".join(f"{ratio:.3g} x {other}" for other, ratio in joint["followers"].items())
        lines.append(f"  {name:<16}{figures}{joint['closing']:9.2f}  {followers}".rstrip())
    if s["fixed"]:
        lines.append("  held: " + ", ".join(f"{name} at {angle:g}" for name, angle in s["fixed"].items()))
    groups = ", ".join(f"{count} {name}" for name, count in s["contacts"].items())
    lines.append(f"contact points: {sum(s['contacts'].values())} ({groups})")
    pairs = "no two of them can meet"
    if s["open_gap_m"] is not None:
        pairs = (
            f"{s['self_pairs']} pairs can meet, {1e3 * s['open_gap_m']:.1f} mm apart or more in the open hand"
        )
    lines.append(f"collision spheres: {s['spheres']}; {pairs}")
    return "\n".join(lines)


def _open_gap(hand: Hand) -> float | None:
    """Smallest gap [m] between two spheres of a self pair at the open posture."""
    if len(hand.self_pairs) == 0:
        return None
    x = torch.tensor(np.concatenate([[0, 0, 0, 1, 0, 0, 0], hand.open_joints]))[None]
    centres = Kinematics(hand, torch.float64).points(x, hand.spheres)[0].numpy()
    first, second = hand.self_pairs.T
    reach = hand.spheres.radius[first] + hand.spheres.radius[second]
    return float((np.linalg.norm(centres[first] - centres[second], axis=1) - reach).min())
