"""A folder with small pictures, and the command run in it."""

import pytest
import torch
from typer.testing import CliRunner

from ift import save_image
from ift.__main__ import app


@pytest.fixture
def folder(tmp_path):
    """With a content of 60×40, two styles, and no output yet."""
    for seed, (name, size) in enumerate({"content": (40, 60), "red": (32, 32), "blue": (24, 48)}.items()):
        picture = torch.rand(3, *size, generator=torch.Generator().manual_seed(seed))
        save_image(
            picture * torch.tensor([[1.0, 1, 1], [1, 0.1, 0], [0, 0.1, 1]])[seed].view(3, 1, 1),
            tmp_path / f"{name}.png",
        )
    return tmp_path


@pytest.fixture
def command(folder, monkeypatch):
    """Runs the command in that folder."""
    monkeypatch.chdir(folder)
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.fixture
def float32(monkeypatch):
    """Whatever the processor is fastest at: in bfloat16 tiles and whole differ by its rounding."""
    monkeypatch.setattr("ift.stylizer.fastest_dtype", lambda device: torch.float32)


@pytest.fixture
def mistake(command, folder):
    """A function that runs the command and sees that it gives one line, which it returns, and leaves nothing."""

    def run(*arguments):
        before = sorted(folder.rglob("*"))
        result = command(*map(str, arguments))
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1 and result.stderr.endswith(f"{lines[0]}\n")
        assert "Traceback" not in result.stderr
        assert sorted(folder.rglob("*")) == before
        return lines[0].removeprefix("error: ")

    return run
