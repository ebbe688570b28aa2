"""Draw L_consistency over the number of training objects from the reports of one or several evaluations.

    for n in 50 100 200; do grasp-pose-net train … --objects $n --out runs/$n; done
    grasp-pose-net evaluate … --network runs/50/best.safetensors --network runs/100/best.safetensors … --out runs/figures
    python scripts/plot_learning_curve.py runs/figures/evaluation.json --out learning_curve.png

Networks that were trained with different seeds on the same number of objects are one point with its range.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.training.plots import save_learning_curve


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reports", type=Path, nargs="+", help="evaluation.json of `grasp-pose-net evaluate`")
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")
    arguments = parser.parse_args()
    save_learning_curve([json.loads(report.read_text()) for report in arguments.reports], arguments.out)
    print(f"picture: {arguments.out}")


if __name__ == "__main__":
    try:
        main()
    except GraspPoseNetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
