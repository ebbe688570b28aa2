"""What the documents name is there: files, modules, classes, commands, links, and the papers that docstrings cite."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import typer

from grasp_pose_net.commands import STUDIES, app

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "grasp_pose_net"
ARCHITECTURE, CONTRIBUTING = ROOT / "docs" / "architecture.md", ROOT / "CONTRIBUTING.md"
REFERENCES = ROOT / "docs" / "references.md"
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("README.md")]
)
SOURCES = sorted(
    path for top in ("grasp_pose_net", "tools", "examples") for path in (ROOT / top).rglob("*.py")
)
SUFFIXES = "py|md|yaml|toml|txt|cfg|xml|svg|png|json|sh|srdf"

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FILE = re.compile(rf"[A-Za-z_.][\w.*-]*(?:/[\w.*-]+)*(?:/|\.(?:{SUFFIXES}))")
DOTTED = re.compile(r"grasp_pose_net(?:\.\w+)+")
COMMAND = re.compile(r"grasp-pose-net (study )?([a-z][\w-]*)")
SCRIPT = re.compile(r"\b((?:scripts|tools|examples)/[\w./]+\.(?:py|sh))\b")
LINK = re.compile(r"\]\(([^)\s]+)\)")

AUTHORS = r"[A-Z][A-Za-zé]+(?:(?:, | and )[A-Z][A-Za-zé]+)*(?: et al\.)?"
CITATION = re.compile(rf"({AUTHORS}),? \(?((?:19|20)\d\d)\b")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def section(document: Path, heading: str) -> str:
    """Text of a section, its sub-sections included."""
    level = heading.index(" ")
    found = re.search(
        rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{level}}} |\Z)", document.read_text(), re.M | re.S
    )
    assert found, f"{relative(document)} has no section {heading!r}"
    return found[1]


def files_named(text: str) -> list[str]:
    return [code for code in CODE.findall(text) if FILE.fullmatch(code)]


def exists(name: str) -> bool:
    """Whether a file or folder is there, from the root of the repository or of the package; * stands for any."""
    return any(any(top.glob(name.rstrip("/"))) for top in (ROOT, PACKAGE))


@cache
def names_in(file: Path) -> dict[str, ast.AST]:
    return _names(ast.parse(file.read_text()))


def _names(tree: ast.AST) -> dict[str, ast.AST]:
    """Names that a module or class gives, with what each stands for."""
    found: dict[str, ast.AST] = {}
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found |= {n.id: node for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: node for alias in node.names}
    return found


def resolves(dotted: str) -> bool:
    """Whether ``grasp_pose_net.x.Y`` is a package, a module, or a name that one of these gives; without importing it."""
    place, parts = ROOT, dotted.split(".")
    while parts and (place / parts[0]).is_dir():
        place = place / parts.pop(0)
    if parts and (place / f"{parts[0]}.py").is_file():
        place = place / f"{parts.pop(0)}.py"
    if not parts:
        return True
    names = names_in(place if place.is_file() else place / "__init__.py")
    if parts[0] not in names or len(parts) == 1:
        return parts[0] in names
    found = names[parts[0]]
    if isinstance(found, ast.ImportFrom):  # given on from where it is defined
        return resolves(".".join([found.module or "", *parts]))
    return parts[1] in _names(found)


@cache
def where_defined() -> dict[str, list[str]]:
    """Files of the package with a class of each name, once for each."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    return found


@pytest.mark.parametrize("document", [ARCHITECTURE, CONTRIBUTING], ids=relative)
def test_every_file_and_name_in_it_exists(document: Path) -> None:
    text = document.read_text()
    assert len(files_named(text)) > 20
    assert [name for name in files_named(text) if not exists(name)] == []
    assert [name for name in DOTTED.findall(text) if not resolves(name)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_commands_scripts_and_links_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    unknown = [
        f"{study}{name}"
        for study, name in COMMAND.findall(text)
        if name not in (STUDIES if study else commands)
    ]
    assert unknown == [], "no such commands"
    assert [script for script in SCRIPT.findall(text) if not (ROOT / script).is_file()] == []
    broken = []
    for link in LINK.findall(text):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def anchors(document: Path) -> set[str]:
    """What a link may name after its #, one for each heading."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_each_word_of_the_vocabulary_is_one_class() -> None:
    rows = re.findall(r"^\| [^|]+ \| `(\w+)` \| `([^`]+)` \|", section(ARCHITECTURE, "## Words"), re.M)
    assert {"Scene", "SceneObject", "Shape", "Grasp", "Trajectory", "JointState"} <= {cls for cls, _ in rows}
    assert {cls: where_defined().get(cls, []) for cls, _ in rows} == {cls: [file] for cls, file in rows}


def test_the_walk_names_each_file_once() -> None:
    walk = files_named(section(ARCHITECTURE, "## The walk of one request"))
    assert len(walk) > 20
    assert [name for name, count in Counter(walk).items() if count > 1] == []


def test_papers_that_are_cited_are_listed_and_the_other_way_round() -> None:
    listed = re.findall(r"^- \*\*(.+?)\*\*", REFERENCES.read_text(), re.M)
    assert len(listed) == len(set(listed)) > 10
    cited: dict[str, str] = {}
    for path in [*SOURCES, *(one for one in DOCUMENTS if one != REFERENCES)]:
        text = re.sub(r"\s+(?:# )?", " ", path.read_text())
        cited |= {f"{authors}, {year}": relative(path) for authors, year in CITATION.findall(text)}
    in_code = {key: path for key, path in cited.items() if path.endswith(".py")}
    assert {key: path for key, path in in_code.items() if key not in listed} == {}
    assert [key for key in listed if key not in cited] == []


def test_what_is_not_there_is_found() -> None:
    assert resolves("grasp_pose_net.world.Scene.targets") and resolves("grasp_pose_net.planning.stages")
    assert not resolves("grasp_pose_net.world.Target") and not resolves("grasp_pose_net.geometry.Array")
    assert exists("world/scene.py") and exists("config/*.yaml") and not exists("world/scenes.py")
    assert CITATION.findall("as published (Beck and Teboulle, 2009)") == [("Beck and Teboulle", "2009")]
