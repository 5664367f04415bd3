"""The image has what the project asks for, and infra/README.md tells all that is to be filled in."""

import re

import tomlkit
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.infra.validators import INFRA, ROOT, VALIDATORS

PROJECT = tomlkit.parse((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (INFRA / "Dockerfile").read_text()
PINS = {
    canonicalize_name(pin.name): next(iter(pin.specifier)).version
    for pin in map(Requirement, re.findall(r"^[^#].*$", (INFRA / "requirements.txt").read_text(), re.MULTILINE))
}


def test_the_pins_are_what_the_project_allows():
    for line in PROJECT["dependencies"]:
        needed = Requirement(line)
        pinned = PINS.get(canonicalize_name(needed.name), "0")
        assert pinned in needed.specifier, f"{line}: make infra/requirements.txt anew, as its first lines tell"


def test_python_is_one_that_the_project_takes():
    (ubuntu,) = set(re.findall(r"^FROM \S+ubuntu(\d+\.\d+)", DOCKERFILE, re.MULTILINE))
    python = {"24.04": "3.12"}[ubuntu]
    assert python in SpecifierSet(PROJECT["requires-python"])
    assert f"--python-version {python}" in (INFRA / "requirements.txt").read_text()


def test_cuda_is_the_one_that_pytorch_was_built_for():
    (cuda,) = set(re.findall(r"^FROM nvidia/cuda:(\d+\.\d+)", DOCKERFILE, re.MULTILINE))
    assert PINS["nvidia-cuda-runtime"].startswith(f"{cuda}.")


def test_the_documents_name_these_versions():
    told = (ROOT / "docs" / "cluster.md").read_text()
    assert set(re.findall(r"ray\[default\]==([\d.]+)", told)) == {PINS["ray"]}
    assert set(re.findall(r"/ift:([\d.]+)", told)) == {PROJECT["version"]}


def test_every_placeholder_is_in_the_readme_and_nothing_else():
    texts = [(INFRA / name).read_text() for name in VALIDATORS]
    used = set(re.findall(r"[\w-]*CHANGE-ME(?:-[A-Z]+)?", "\n".join(texts)))
    told = set(re.findall(r"^\| `([\w-]*CHANGE-ME[A-Z-]*)`", (INFRA / "README.md").read_text(), re.MULTILINE))
    assert used == told


def test_every_file_is_in_the_readme():
    told = (INFRA / "README.md").read_text()
    for name in VALIDATORS:
        assert f"| `{name}` |" in told, name
