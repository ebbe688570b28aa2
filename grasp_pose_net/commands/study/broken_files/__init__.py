"""Break files of every kind that is read, and count what comes of it.

    grasp-pose-net study broken-files --count 3000 --out docs/results/broken_files.json

Good files are made, and bits, numbers, lines, words and parts of them are changed by a seed. A reader has to give a right
result, or refuse in one line that names the file, within 10 s and 512 MiB. It runs in a process of its own: one that dies,
hangs, warns or raises anything else is counted, and the next one goes on behind the file that it died of.
"""

from grasp_pose_net.commands.study.broken_files.command import main

__all__ = ["main"]
