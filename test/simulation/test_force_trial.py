from __future__ import annotations

import pickle

import mujoco
import numpy as np
import pytest

from grasp_pose_net.hand import Hand
from grasp_pose_net.models import share_dir
from grasp_pose_net.refinement import postures
from grasp_pose_net.shapes import SignedDistanceField, load_mesh
from grasp_pose_net.simulation.force_trial import DIRECTIONS, ForceTrial, ForceTrialConfig, ForceValidator
from grasp_pose_net.world import inverse_transform, make_transform

pytestmark = pytest.mark.sim

# Power grasps of models/objects/can.ply that `synthesize` made, to the millimetre and milliradian:
# a firm one, and one that lets go at a friction of 0.05.
FIRM = [0.024, 0.081, -0.032, 0.785, 0.172, -0.516, 0.296, 0.349, 0.572, 0.753, 0.349, 0.871, 0.706, -0.349,
        1.007, 0.669, 0.048, -0.349, 0.955, 0.727, 0.252, 1.222, 0.209, -0.059, 0.785]  # fmt: skip
MARGINAL = [0.112, -0.029, 0.008, -0.074, 0.785, 0.282, -0.547, 0.06, 0.204, 0.702, 0.349, 0.397, 0.725,
            -0.273, 0.674, 0.525, 0.346, -0.349, 0.334, 0.59, 0.486, 0.987, 0.01, -0.077, 0.177]  # fmt: skip


@pytest.fixture(scope="module")
def hand():
    return Hand.load("shadow")


@pytest.fixture(scope="module")
def can():
    return load_mesh(share_dir() / "models" / "objects" / "can.ply")


@pytest.fixture(scope="module")
def field(can):
    return SignedDistanceField.from_mesh(can)


@pytest.fixture(scope="module")
def grasps(hand, field):
    """Firm, marginal, and firm but 10 cm away: x, pre-grasp and squeeze."""
    x = np.array([FIRM, MARGINAL, FIRM])
    opened, squeezed = postures(hand, field, x)
    x[2, :3] -= 0.1 * palm_normal(hand, x[2])
    return x, opened, squeezed


def make_trial(hand, can, **settings):
    return ForceTrial(hand, can, [can], ForceTrialConfig(**settings))  # a can is convex


@pytest.fixture
def trial(hand, can):
    return make_trial(hand, can)


def palm_normal(hand, x):
    """Where the palm looks, object frame."""
    return rotation(x) @ hand.palm_normal


def rotation(x):
    """(3, 3) of the base link in the object frame."""
    return make_transform(x[:3], x[3:7])[:3, :3]


def object_pose(trial):
    return trial.data.qpos[-7:]


def test_good_grasps_hold_and_a_hand_that_is_not_there_does_not(trial, grasps):
    result = trial.judge(*grasps)
    assert result.success.tolist() == [True, True, False]
    assert result.failure.tolist() == ["", "", "+x"]


def test_a_verdict_depends_on_the_grasp_alone(trial, grasps):
    forth = trial.judge(*grasps)
    last_state = trial.data.qpos.copy()
    back = trial.judge(*(part[::-1] for part in grasps))
    again = trial.judge(*grasps)
    assert forth.failure.tolist() == back.failure[::-1].tolist() == again.failure.tolist()
    np.testing.assert_array_equal(trial.data.qpos, last_state)


def test_pushes_are_along_the_axes_of_the_object(trial, grasps, monkeypatch):
    x = grasps[0][2]
    pushes = []
    monkeypatch.setattr(trial, "_held", lambda before: True)

    def record(model, data, *steps):
        force = data.xfrc_applied[-1, :3].copy()
        if np.any(force) and not any(np.array_equal(force, known) for known in pushes):
            pushes.append(force)

    monkeypatch.setattr(mujoco, "mj_step", record)
    trial.judge(*(part[2:] for part in grasps))
    in_object = np.array(pushes) @ rotation(x).T
    expected = np.kron(np.eye(3), [[1], [-1]])
    np.testing.assert_allclose(in_object, expected, atol=1e-9)
    assert DIRECTIONS == ("+x", "-x", "+y", "-y", "+z", "-z")


def test_with_less_friction_the_marginal_grasp_lets_go_first(hand, can, grasps):
    slippery = make_trial(hand, can, friction_slide=0.05, friction_torsion_m=0.001)
    assert slippery.judge(*grasps).success.tolist() == [True, False, False]


def test_a_push_ends_early_only_where_the_object_is_well_within_limits_and_slow(hand, can):
    trial = make_trial(hand, can, settled_ratio=5.0, drift_m=0.05, turn_rad=0.2)
    before = np.array([0, 0, 0, 1.0, 0, 0, 0])

    def pose(drift, turn):
        return np.array([drift, 0, 0, np.cos(turn / 2), 0, 0, np.sin(turn / 2)])

    def settled(last, now, to_come=4):
        return trial._settled(before, pose(*last), pose(*now), to_come)

    assert settled((0.010, 0.02), (0.0115, 0.02))  # 11.5 mm + 5 x 4 looks x 1.5 mm < 50 mm
    assert not settled((0.010, 0.02), (0.0125, 0.02))
    assert settled((0.010, 0.02), (0.0125, 0.02), to_come=2)
    assert settled((0.0, 0.05), (0.0, 0.056))
    assert not settled((0.0, 0.05), (0.0, 0.059))
    assert not settled((0.026, 0.0), (0.026, 0.0))  # at rest, but beyond half of the limit
    assert not settled((0.0, 0.11), (0.0, 0.11))


def test_an_early_end_does_not_change_the_verdict(hand, can, grasps):
    for friction in (0.6, 0.05):
        settings = {"friction_slide": friction, "friction_torsion_m": 0.001}
        early = make_trial(hand, can, **settings).judge(*grasps)
        whole = make_trial(hand, can, **settings, settled_ratio=np.inf).judge(*grasps)
        assert early.failure.tolist() == whole.failure.tolist()


def test_a_strong_push_tears_the_object_out(hand, can, grasps):
    assert not make_trial(hand, can, push_n=60.0).judge(*grasps).success.any()


def test_physics_that_blows_up_is_a_failure_and_leaves_no_log(
    hand, can, grasps, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    trial = make_trial(hand, can, push_n=1e15, drift_m=np.inf, turn_rad=np.inf)
    assert not trial.judge(*grasps).success.any()
    assert trial.data.warning.number.any()
    assert not list(tmp_path.iterdir()) and capfd.readouterr() == ("", "")


def test_an_object_that_nobody_pushes_stays(hand, can, grasps):
    still = make_trial(hand, can, push_n=0.0)
    for i in range(2):
        assert still.judge(*(part[i : i + 1] for part in grasps)).success.all()
        T_base_object = inverse_transform(make_transform(grasps[0][i, :3], grasps[0][i, 3:7]))
        assert np.linalg.norm(object_pose(still)[:3] - T_base_object[:3, 3]) < 0.01


def test_an_open_hand_that_touches_from_one_side_does_not_hold(hand, trial, grasps):
    x = grasps[0][:1].copy()
    x[:, 7:] = np.where(hand.closing != 0, hand.lower, hand.open_joints)
    assert trial.judge(x, x[:, 7:], x[:, 7:]).failure[0] in DIRECTIONS


def test_a_hand_that_starts_in_the_object_fails_at_the_pregrasp(hand, trial, grasps):
    x, opened, squeezed = (part[:1] for part in grasps)
    deeper = x.copy()
    deeper[:, :3] += 0.02 * palm_normal(hand, x[0])
    assert trial.judge(deeper, opened, squeezed).failure.tolist() == ["pregrasp"]


def test_a_hand_that_starts_in_itself_fails_at_the_pregrasp(hand, trial, grasps):
    x, opened, squeezed = (part[2:].copy() for part in grasps)
    opened[:] = np.where(hand.closing > 0, hand.upper, hand.open_joints)  # thumb through the fist
    assert trial.judge(x, opened, squeezed).failure.tolist() == ["pregrasp"]
    assert trial.judge(x, np.tile(hand.open_joints, (1, 1)), squeezed).failure.tolist() == ["+x"]


def test_coupled_joints_stay_together_and_torques_within_limits(hand, can, grasps, monkeypatch):
    trial = make_trial(hand, can, settled_ratio=np.inf)
    step, names = mujoco.mj_step, [trial.model.actuator(i).name for i in range(trial.model.nu)]
    pairs = [(names.index(n), names.index(n[:-1] + "2")) for n in names if n[-2:] == "J1" and "TH" not in n]
    gaps, torques = [], []

    def watched(model, data, steps=1):
        for _ in range(steps):
            step(model, data)
            angles = [data.joint(name).qpos[0] for name in names]
            gaps.append(max(abs(angles[a] - angles[b]) for a, b in pairs))
            torques.append(np.abs(data.actuator_force).max())

    monkeypatch.setattr(mujoco, "mj_step", watched)
    assert trial.judge(*(part[:1] for part in grasps)).success.all()
    assert len(pairs) == 4 and len(gaps) == 200 + 6 * 500
    assert max(gaps) < 0.01
    assert max(torques) <= 3.0
    assert not trial.data.warning.number.any()


def test_the_model_welds_what_a_hand_holds_fixed_and_takes_masses_from_the_urdf(hand, trial):
    assert trial.model.nv == 22 + 6  # the wrist's two joints are no degrees of freedom
    np.testing.assert_allclose(trial.model.body("rh_ffproximal").mass, 0.03)
    np.testing.assert_allclose(trial.model.body("object").mass, 0.1)


def test_the_validator_travels_and_agrees_with_the_trial(hand, can, field, trial, grasps):
    validator = pickle.loads(pickle.dumps(ForceValidator()))
    assert validator(hand, can, field, np.array([FIRM])).tolist() == [True]


def test_arrays_that_do_not_fit_the_hand_are_refused(trial, grasps):
    x, opened, squeezed = grasps
    with pytest.raises(ValueError, match=r"x: expected \(B, 25\), got \(3, 24\)"):
        trial.judge(x[:, 1:], opened, squeezed)
    with pytest.raises(ValueError, match=r"squeeze_joints: expected \(3, 18\), got \(2, 18\)"):
        trial.judge(x, opened, squeezed[:2])
    assert trial.judge(x[:0], opened[:0], squeezed[:0]).success.shape == (0,)
