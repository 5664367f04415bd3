import pytest
import torch
from safetensors.torch import save_file

from ift import WeightsError, load_style, save_style


def test_a_saved_style_stylizes_as_the_original(model, tmp_path):
    generator = torch.Generator().manual_seed(0)
    content, picture = (torch.rand(3, 32, 40, generator=generator) for _ in range(2))
    style = model.style(picture)
    save_style(style, tmp_path / "style.safetensors")
    again = load_style(tmp_path / "style.safetensors")
    assert torch.equal(model.stylize(content, style), model.stylize(content, again))
    assert (tmp_path / "style.safetensors").stat().st_size < 1_500_000


@pytest.mark.parametrize("name", ["missing", "torn", "foreign"])
def test_what_is_no_style_is_refused_by_name(name, tmp_path):
    path = tmp_path / f"{name}.safetensors"
    if name == "torn":
        path.write_bytes(b"\x10\x00")
    elif name == "foreign":
        save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match=name):
        load_style(path)
