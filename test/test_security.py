"""Who may command: discovery, files that are written over ROS, and the policy for enclaves."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.storage import inside
from grasp_pose_net.system import DISCOVERY, ENCLAVES, NODES, Start, limit_discovery

ROOT = Path(__file__).parent.parent
MOVES = {"/executor/home", "/executor/open_hand", "/executor/retreat", "/executor/set_parameters"}


def allowed(enclave: str, what: str) -> set[str]:
    """Names that the policy allows an enclave to publish, subscribe, reply, request, call or execute."""
    policy = ElementTree.parse(ROOT / "config" / "security_policy.xml").getroot()
    (profile,) = policy.findall(f"enclaves/enclave[@path='{enclave}']/profiles/profile")
    own = f"/{profile.attrib['node']}"
    groups = [group for group in profile if group.get(what) == "ALLOW"]
    return {(entry.text or "").replace("~", own, 1) for group in groups for entry in group}


def test_every_node_has_an_enclave_and_is_told_so_only_if_asked():
    for node in NODES:
        (option, enclave) = node.ros_arguments(Start(enclaves=True))
        assert (option, enclave) == ("--enclave", f"{ENCLAVES}/{node.name}")
        assert f"/{node.name}/set_parameters" in allowed(enclave, "reply")
        assert node.ros_arguments(Start()) == []


def test_nobody_but_the_operator_commands_and_nobody_but_the_executor_moves_the_controllers():
    operator, executor = f"{ENCLAVES}/operator", f"{ENCLAVES}/executor"
    assert MOVES <= allowed(operator, "request") and allowed(operator, "call") == {"/pickup"}
    assert allowed(executor, "execute") == {"/pickup"}
    for node in NODES:
        enclave = f"{ENCLAVES}/{node.name}"
        assert not allowed(enclave, "request") - {"/refine_grasp"}
        assert node.name == "executor" or not allowed(enclave, "call")
        assert node.name == "perception" or "/perception/objects" not in allowed(enclave, "publish")


@pytest.mark.parametrize(
    ("given", "asked", "then"),
    [
        (None, "", "LOCALHOST"),
        ("SUBNET", "", "SUBNET"),
        (None, "subnet", "SUBNET"),
        ("SUBNET", "localhost", "LOCALHOST"),
    ],
)
def test_discovery_stays_on_the_machine_unless_told_otherwise(monkeypatch, given, asked, then):
    monkeypatch.delenv(DISCOVERY, raising=False)
    if given:
        monkeypatch.setenv(DISCOVERY, given)
    limit_discovery(asked)
    assert os.environ[DISCOVERY] == then
    monkeypatch.setenv(DISCOVERY, then)  # so that it is put back
    with pytest.raises(ConfigError, match="discovery is 'moon'; valid: localhost, subnet"):
        Start(discovery="moon")


def test_files_are_written_inside_a_folder_only(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    assert inside(str(folder), "a.mp4") == folder / "a.mp4"
    assert inside(str(folder), str(folder / "b" / "c.mp4")) == folder / "b" / "c.mp4"
    for name in ("../a.mp4", "/etc/a.mp4", "link/a.mp4", "b/../../a.mp4", "", "."):
        with pytest.raises(ConfigError, match=f"is not written: it is not in {folder}"):
            inside(str(folder), name)
    with pytest.raises(ConfigError, match=r"'a\.mp4' is not written: no folder was given for files"):
        inside("", "a.mp4")
    with pytest.raises(ConfigError, match=r"there is no folder .*/nowhere"):
        inside(str(tmp_path / "nowhere"), "a.mp4")
