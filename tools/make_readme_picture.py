"""Make docs/demo.png from a run of the demo: the proposed grasp, and three moments of the episode.

Example: python tools/make_readme_picture.py runs/demo/<time>
"""

from __future__ import annotations

import sys
from pathlib import Path

import imageio.v3 as imageio
import numpy as np

MOMENTS = (0.08, 0.2, 0.6)  # of the film: on the way, at the grasp, held


def main(run: Path) -> None:
    """Put the pictures side by side."""
    grasp = imageio.imread(run / "grasp.png")
    video = imageio.imread(run / "episode.mp4")
    frames = [video[int(moment * len(video))] for moment in MOMENTS]
    height = grasp.shape[0] // len(frames)
    width = height * 4 // 3
    rows = np.linspace(0, frames[0].shape[0] - 1, height).astype(int)
    columns = np.linspace(0, frames[0].shape[1] - 1, width).astype(int)
    strip = np.concatenate([frame[rows][:, columns] for frame in frames])
    out = Path("docs") / "demo.png"
    out.parent.mkdir(exist_ok=True)
    imageio.imwrite(out, np.concatenate([grasp[: strip.shape[0]], strip], axis=1))
    print(f"wrote {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
