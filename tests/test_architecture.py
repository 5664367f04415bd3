"""Dependencies point one way: jobs → ift."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {"ray", "boto3", "botocore", "pyarrow", "jobs"}


def modules(package):
    return sorted((ROOT / package).rglob("*.py"))


def imported(path):
    """The top-level names of everything that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module).split(".")[0])
    return names


def test_the_library_knows_neither_the_job_nor_its_machinery():
    assert modules("ift")
    offenders = {path.name: found for path in modules("ift") if (found := imported(path) & FORBIDDEN)}
    assert offenders == {}


def test_the_job_builds_on_the_library():
    assert any("ift" in imported(path) for path in modules("jobs"))


def test_importing_the_whole_library_loads_nothing_of_the_job():
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in modules("ift")
    ]
    code = f"import sys, {', '.join(names)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"ift", "torch", "typer"} <= loaded
    assert loaded & FORBIDDEN == set()


def test_programs_that_run_no_model_load_no_pytorch():
    code = "import sys, jobs.stylize, jobs.submit; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"ift", "ray", "typer"} <= loaded
    assert "torch" not in loaded


@pytest.mark.parametrize("package", ["ift", "jobs", "tests"])
def test_modules_are_named_after_one_idea(package):
    vague = {"utils", "util", "helpers", "common", "misc"}
    assert [path for path in modules(package) if path.stem in vague] == []
