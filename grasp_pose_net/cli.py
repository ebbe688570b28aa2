"""``python -m grasp_pose_net.cli``: the command line, where a launcher such as torchrun wants a module."""

from grasp_pose_net.commands import main

if __name__ == "__main__":
    main()
