"""Views that belong together: of each camera the one that was taken closest to one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def together(stamps: Mapping[str, Sequence[float]], spread_s: float) -> dict[str, int]:
    """For each camera of the largest group of views taken at one time, which of its views belongs to it.

    Args:
        stamps: by camera, when its views were taken [s].
        spread_s: a view belongs to a moment when it was taken at most this long before or after it [s].

    Returns:
        Index into the stamps of each camera that has such a view; of several moments with as many views the first.
    """
    best: dict[str, int] = {}
    for moment in sorted({stamp for own in stamps.values() for stamp in own}):
        group = {}
        for camera, own in stamps.items():
            nearest = min(range(len(own)), key=lambda i: abs(own[i] - moment), default=None)
            if nearest is not None and abs(own[nearest] - moment) <= spread_s:
                group[camera] = nearest
        if len(group) > len(best):
            best = group
    return best
