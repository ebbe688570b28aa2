"""Spins nodes: one as a process that leaves quietly on Ctrl-C or SIGTERM, or some in the background of a client."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import rclpy
from rclpy._rclpy_pybind11 import InvalidHandle
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor, ShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.nodes.support.guarded_node import GuardedNode
from grasp_pose_net.process import settle

BREATH_S = 0.0002  # between two rounds of callbacks
END_S = 3.0  # for a motion to stop and its client to be answered; ROS's launch waits for 5 s


def run(make_node: Callable[[], Node], threads: int = 4) -> None:
    """Spin the node until SIGINT or SIGTERM; a wrong configuration ends the process with one line and status 1.

    A node with a method ``end()`` is asked again and again, for up to ``END_S`` in which its callbacks still run, until it
    returns that all that it has begun is over.
    """
    settle()
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    status = 0
    node = None
    executor = MultiThreadedExecutor(num_threads=threads)
    try:
        node = make_node()
        executor.add_node(node)
        without_pauses()
        node.get_logger().info("ready")
        while True:
            # not spin(): without traffic it waits in C for ever, and Python never gets to see a signal
            _spin_once(executor)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except GraspPoseNetError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        status = 1
    finally:
        # a second signal must not cut the clean-up short
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        _let_end(node, executor)
        executor.shutdown(timeout_sec=1.0)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    # taking torch, MuJoCo and OMPL apart takes the interpreter seconds, and there is nothing left to save
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@contextmanager
def spinning(*nodes: Node, threads: int = 4) -> Iterator[None]:
    """Run the nodes' callbacks on background threads while the block runs; the nodes are the caller's to destroy."""
    executor = MultiThreadedExecutor(num_threads=threads, context=nodes[0].context)
    for node in nodes:
        executor.add_node(node)
    ended = threading.Event()

    def spin() -> None:
        with suppress(ExternalShutdownException):
            while not ended.is_set():
                _spin_once(executor)

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        executor.shutdown(timeout_sec=1.0)
        thread.join(timeout=5.0)


def without_pauses() -> None:
    """Keep Python's garbage collector from what is there now: PyTorch, MuJoCo and compiled kernels stay to the end.

    Looking through all of it again takes 0.2 s, every two or three seconds, in which a node neither watches nor stops a motion.
    """
    gc.collect()
    gc.freeze()


def _let_end(node: Node | None, executor: MultiThreadedExecutor) -> None:
    end, deadline = getattr(node, "end", lambda: True), time.monotonic() + END_S
    while not end() and time.monotonic() < deadline:
        with suppress(ExternalShutdownException):
            _spin_once(executor, timeout_s=0.05)


def _spin_once(executor: MultiThreadedExecutor, timeout_s: float = 0.5) -> None:
    """One round of callbacks, or a while without any."""
    try:
        # rclpy looks at a subscription's handle after a callback may have destroyed it; that costs this round, no more
        with suppress(InvalidHandle):
            executor.spin_once(timeout_sec=timeout_s)
    except (ExternalShutdownException, ShutdownException):
        raise
    except Exception as error:
        # callbacks are guarded by their nodes; this is of rclpy itself, which must not end a node either
        guarded = [node for node in executor.get_nodes() if isinstance(node, GuardedNode)]
        if not guarded or not executor.context.ok():
            raise
        guarded[0].fault("rclpy", error)
    # rclpy hands a callback out again and again until another thread has begun with it (ros2/rclpy#1452), which needs Python's
    # lock: without a pause here, a stream of joint states keeps two cores busy, and a cancel waits for up to 0.7 s
    time.sleep(BREATH_S)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
