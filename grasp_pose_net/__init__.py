"""Grasp poses for high-DOF hands: from depth views of a table to a lifted object.

The way of the data: ``perception`` → ``inference`` → ``refinement`` → ``execution``; every sub-package is free of ROS and
has one thin node around it in ``nodes``.

Axis letters in shapes: B batch, N points, P hand contact points, C contacts, J joints, L links, S spheres, R rotations.
Units are SI and radians; ``T_a_b`` maps b coordinates into a coordinates; quaternions are (w, x, y, z).
"""

import os

# open3d brings a TBB that is too old for numba, which would warn of it before it takes the next
os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "omp tbb workqueue")
