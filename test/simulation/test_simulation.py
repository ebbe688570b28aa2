from __future__ import annotations

import mujoco
import numpy as np
import pytest

from grasp_pose_net.exceptions import ConfigError, ExecutionError
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.simulation.physics import Simulation
from grasp_pose_net.simulation.robot_files import controlled, posture, robot_model

pytestmark = pytest.mark.sim
ROBOT = robot_model("ur10_shadow")
ARM = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "elbow_joint",
    "wrist_1_joint",
    "wrist_2_joint",
    "wrist_3_joint",
)


def warnings(sim):
    return {mujoco.mjtWarning(i).name: w.number for i, w in enumerate(sim.data.warning) if w.number}


@pytest.mark.parametrize("state", ["home", "up"])
def test_the_robot_holds_a_named_state_for_a_second_without_warnings(sim, state):
    wanted = posture(ROBOT, ROBOT.arm, state) | posture(ROBOT, ROBOT.hand, "open")
    sim.set_joints(wanted)
    sim.step(round(1 / sim.config.timestep_s))
    touching = {sim.model.body(sim.model.geom_bodyid[geom]).name for c in sim.data.contact for geom in c.geom}
    assert touching == {"world", "box"}  # the robot touches neither itself nor anything
    error = sim.positions()[sim.indices(list(wanted))] - list(wanted.values())
    np.testing.assert_allclose(error, 0, atol=2e-3)
    assert warnings(sim) == {}


def test_random_targets_are_held_under_noise_without_warnings(sim):
    rng = np.random.default_rng(1)
    for _ in range(50):
        target = sim.positions() + rng.normal(0, 0.02, len(sim.joint_names))
        sim.set_targets(np.clip(target, sim.lower, sim.upper), np.zeros_like(target))
        sim.step(10)
    assert warnings(sim) == {}


def test_joints_follow_a_moving_target_without_lag(sim):
    start, arm = sim.positions(), sim.indices(ARM)
    worst = 0.0
    for now in np.arange(0, 2, 0.004):
        position, velocity = start.copy(), np.zeros_like(start)
        position[arm] += 0.3 * (1 - np.cos(np.pi * now / 2))
        velocity[arm] = 0.3 * np.pi / 2 * np.sin(np.pi * now / 2)
        sim.set_targets(position, velocity)
        sim.step(2)
        worst = max(worst, np.abs(sim.positions() - position)[arm].max())
    assert worst < 0.01


def test_the_last_two_joints_of_a_finger_move_together(sim):
    target = sim.positions()
    target[sim.indices(["rh_FFJ2"])] = 0.8
    sim.set_targets(target, np.zeros_like(target))
    sim.step(500)
    first, second = sim.positions()[sim.indices(["rh_FFJ1", "rh_FFJ2"])]
    np.testing.assert_allclose(first, second, atol=0.02)  # though motor 1 was told to stay
    assert 0.35 < second < 0.5  # about half-way between 0.1 and 0.8


def test_joint_order_limits_and_groups_are_those_of_the_urdf(sim):
    found = []
    for group in (ROBOT.arm, ROBOT.hand):
        names, limits = controlled(group, sim.joint_names)
        indices = sim.indices(names)
        np.testing.assert_allclose(sim.lower[indices], limits.lower, atol=1e-9)
        np.testing.assert_allclose(sim.upper[indices], limits.upper, atol=1e-9)
        found += names
    assert tuple(found) == sim.joint_names and tuple(found[:6]) == ARM and len(found) == 30


def test_an_unknown_state_is_named():
    with pytest.raises(ConfigError, match="no group_state 'wave'; there are: home, up, open, close"):
        posture(ROBOT, ROBOT.arm, "wave")


def test_link_poses_are_the_urdfs(sim):
    import pinocchio as pin

    model = pin.buildModelFromXML(robot_urdf())
    data = model.createData()
    q = np.zeros(model.nq)
    for name, value in zip(sim.joint_names, sim.positions(), strict=True):
        q[model.joints[model.getJointId(name)].idx_q] = value
    pin.framesForwardKinematics(model, data, q)
    poses = {"world": np.eye(4)}
    for link, (parent, T_parent_link) in sim.link_poses().items():
        poses[link] = poses[parent] @ T_parent_link
        expected = data.oMf[model.getFrameId(link)].homogeneous
        np.testing.assert_allclose(poses[link], expected, atol=1e-6, err_msg=link)
    assert "box" not in poses and len(poses) > 30


def test_named_states_collide_with_nothing():
    import pinocchio as pin

    model = pin.buildModelFromXML(robot_urdf())
    geometry = pin.buildGeomFromUrdfString(model, robot_urdf(), pin.GeometryType.COLLISION)
    geometry.addAllCollisionPairs()
    pin.removeCollisionPairsFromXML(model, geometry, robot_srdf())
    pin.loadReferenceConfigurationsFromXML(model, robot_srdf())
    data, geometry_data = model.createData(), geometry.createData()
    for state in ("home", "up", "open", "close"):
        q = model.referenceConfigurations[state]
        assert not pin.computeCollisions(model, data, geometry, geometry_data, q, True), state


def test_a_restored_state_goes_on_in_the_same_way(sim):
    sim.set_targets(sim.positions() + 0.1, np.zeros(len(sim.joint_names)))
    state = sim.save()
    sim.step(100)
    first = sim.positions()
    sim.restore(state)
    sim.step(100)
    np.testing.assert_array_equal(sim.positions(), first)


def test_an_object_weighs_its_density_and_rests_with_friction(sim, box_object):
    np.testing.assert_allclose(box_object.mass_kg, 300 * 0.06 * 0.08 * 0.12)
    np.testing.assert_allclose(sim.model.body("box").mass, box_object.mass_kg)
    sim.step(250)
    np.testing.assert_allclose(sim.object_pose("box")[2, 3], sim.config.table_height_m + 0.06, atol=1e-3)
    contact = sim.data.contact[0]
    np.testing.assert_allclose(contact.friction[[0, 2]], [0.6, 0.02])
    assert contact.dim == 4


def test_an_unstable_state_is_an_error(box_object, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its log where it is
    sim = Simulation(sim_config(), [box_object])
    sim.data.qvel[0] = np.nan
    with pytest.raises(ExecutionError, match="unstable"):
        sim.step(5)


def test_unknown_joints_are_named(sim):
    with pytest.raises(ExecutionError, match="unknown joint 'knee'; the robot has shoulder_pan_joint"):
        sim.indices(["knee"])


def sim_config():
    from grasp_pose_net.simulation.scene_model import SceneConfig

    return SceneConfig()
