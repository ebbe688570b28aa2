from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from grasp_pose_net.hand import Hand
from grasp_pose_net.simulation.picture import draw_hand


@pytest.mark.parametrize("name", ["shadow", "barrett"])
def test_a_hands_picture_shows_red_contact_points_on_two_views(name: str, tmp_path: Path) -> None:
    path = tmp_path / "hand.png"
    draw_hand(Hand.load(name), path, size=(600, 360))
    image = imageio.imread(path).astype(int)
    assert image.shape == (360, 600, 3)
    red = (image[..., 0] > 120) & (image[..., 0] > 2 * image[..., 1]) & (image[..., 0] > 2 * image[..., 2])
    large, beside, spheres = red[:, :400], red[:180, 400:], red[180:, 400:]
    assert large.sum() > 300 and beside.sum() > 60 and not spheres.any()
    border = np.concatenate([large[0], large[-1], large[:, 0]])
    assert not border.any()  # the contact points are in the picture
