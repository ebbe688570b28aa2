"""Weights of a network in a safetensors file, in half precision, with a header that says what they are for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from grasp_pose_net.exceptions import CheckpointError
from grasp_pose_net.reading import brief, check_file, one_line, parse_json
from grasp_pose_net.storage import whole

HEADER = "grasp_pose_net"  # key of the JSON text in the file's metadata
ENTRIES = {"hand": str, "architecture": str, "pose_size": int, "options": dict, "config": dict}
NEEDED = {"hand", "architecture", "pose_size"}
LARGEST_MB = 16384
MOST_NEURONS, MOST_LAYERS = 100_000, 8  # of a network in a file; the paper's has 21952 in a layer


def write_weights(path: Path, weights: dict[str, torch.Tensor], header: dict[str, Any]) -> None:
    """Write weights in half precision, and their header; whole or not at all."""
    tensors = {
        name: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in weights.items()
    }
    with whole(path) as unfinished:
        unfinished.write_bytes(save(tensors, metadata={HEADER: json.dumps(header)}))


def read_weights(path: Path, *, weights: bool = True) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Header and weights of a file as they are in it, or the header alone.

    Raises:
        CheckpointError: no such file, or no weights of this package.
    """
    check_file(path, LARGEST_MB, CheckpointError)
    try:
        with safe_open(path, framework="pt") as stream:
            text = (stream.metadata() or {}).get(HEADER, "{}")
            tensors = {name: stream.get_tensor(name) for name in stream.keys()} if weights else {}
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path}: not a safetensors file ({one_line(error)})") from error
    header = parse_json(text, f"{path}: its header", CheckpointError)
    if missing := NEEDED - set(header):
        raise CheckpointError(
            f"{path}: asked for weights of grasp_pose_net, found none of its header ({', '.join(sorted(missing))})"
        )
    for name, kind in ENTRIES.items():
        if name in header and not isinstance(header[name], kind):
            raise CheckpointError(
                f"{path}: its header says {name} {brief(header[name])}, expected {kind.__name__}"
            )
    return header, tensors


def check_weights(path: Path, options: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Refuse sizes that no network has, and weights from which no finite answer comes.

    Raises:
        CheckpointError: naming them.
    """
    for name, value in options.items():
        sizes = value if isinstance(value, list) else [] if value is None else [value]
        whole_numbers = all(type(size) is int and 0 < size <= MOST_NEURONS for size in sizes)
        if not whole_numbers or len(sizes) > MOST_LAYERS:
            raise CheckpointError(
                f"{path}: option {brief(name)} is {brief(value)}, expected up to {MOST_LAYERS} numbers of 1 to {MOST_NEURONS}"
            )
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: weights {brief(name)} are not all finite numbers; train it again")
        if name.endswith("running_var") and (tensor < 0).any():
            raise CheckpointError(f"{path}: variances {brief(name)} are below 0; train it again")
