"""Thin ROS 2 nodes: parameters, messages and TF in and out; no algorithms."""
