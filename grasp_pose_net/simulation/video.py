"""Writes pictures to an MP4 file, one at a time."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray


class VideoWriter:
    """An H.264 file that grows with every frame and is complete once closed."""

    def __init__(self, path: Path, width_px: int, height_px: int, fps: float) -> None:
        """Start the encoder; its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.frames = 0
        size = (width_px, height_px)
        self._encoder = imageio_ffmpeg.write_frames(
            str(path),
            size,
            fps=fps,
            codec="libx264",
            quality=7,
            macro_block_size=2,
            output_params=["-preset", "veryfast"],
        )
        self._encoder.send(None)

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Append a frame (H, W, 3)."""
        self._encoder.send(np.ascontiguousarray(frame))
        self.frames += 1

    def close(self) -> None:
        """Finish the file."""
        self._encoder.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
