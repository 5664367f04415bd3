import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ift.errors import WeightsError
from ift.weight_files import PRETRAINED, default_vgg19_file, weights_digest
from ift.weights import load_networks


@pytest.fixture(scope="module")
def state():
    return load_file(PRETRAINED)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.safetensors"


def refused(path, message):
    with pytest.raises(WeightsError) as caught:
        load_networks(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_networks_are_ready_for_inference(model, state):
    encoder, decoder = load_networks()
    for network in (encoder, decoder):
        assert not network.training
        for value in network.parameters():
            assert value.dtype == torch.float32 and not value.requires_grad
    shipped = {name.removeprefix("decoder."): value for name, value in state.items() if name.startswith("decoder.")}
    loaded = decoder.state_dict()
    assert shipped.keys() == loaded.keys()
    assert all(torch.equal(loaded[name], value.float()) for name, value in shipped.items())


def test_other_weights_are_other_networks(path, state):
    save_file(state | {"encoder.block3_conv1.scale": 2 * state["encoder.block3_conv1.scale"]}, path)
    (usual, _), (other, _) = load_networks(), load_networks(str(path))
    for name, factor in (("block2_conv2", 1), ("block3_conv1", 0.5), ("block3_conv2", 2), ("block3_conv3", 1)):
        torch.testing.assert_close(other.convolutions[name].weight, factor * usual.convolutions[name].weight)


def test_another_vgg19_is_used(tmp_path, original):
    path = tmp_path / "brighter.pth"
    torch.save(
        {f"{n}.{k}": 2 * v for n, pair in original.items() for k, v in zip(("weight", "bias"), pair, strict=True)}, path
    )
    (usual, _), (other, _) = load_networks(), load_networks(vgg19=path)
    torch.testing.assert_close(other.convolutions["block1_conv1"].weight, 2 * usual.convolutions["block1_conv1"].weight)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.write_text, (self.target, "sprung")


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
@pytest.mark.parametrize("name", ["mine.pth", "mine.safetensors"])
def test_pickles_are_refused_unrun(tmp_path, state, save, name):
    path, target = tmp_path / name, tmp_path / "target"
    save(state | {"more": Trap(target)}, path)
    refused(path, "pickled weights are refused because loading one can run code")
    assert not target.exists()


def test_files_that_are_none(path):
    refused(path, "no such file")
    for content in (b"", b"hello", bytes(1000), PRETRAINED.read_bytes()[:-1], PRETRAINED.read_bytes()[:100]):
        path.write_bytes(content)
        refused(path, "not a safetensors file")
    path.unlink()
    path.mkdir()
    refused(path, "not a safetensors file")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("encoder.block4_conv1.scale", None, "lacks encoder.block4_conv1.scale; it does not hold ift weights"),
        ("encoder.block1_conv1.scale", torch.ones(5), "encoder.block1_conv1.scale must be 64 finite numbers above 0"),
        ("encoder.block1_conv1.scale", torch.ones(1), "encoder.block1_conv1.scale must be 64 finite numbers above 0"),
        ("encoder.block2_conv1.scale", torch.zeros(128), "encoder.block2_conv1.scale must be 128 finite numbers"),
        ("encoder.block2_conv1.scale", -torch.ones(128), "encoder.block2_conv1.scale must be 128 finite numbers"),
        ("encoder.block2_conv1.scale", torch.full((128,), torch.nan), "encoder.block2_conv1.scale must be 128 finite"),
        (
            "decoder.block3.conv_in.bias",
            None,
            'does not fit the decoder: Missing key(s) in state_dict: "block3.conv_in',
        ),
        ("decoder.block1.conv.bias", torch.zeros(4), "does not fit the decoder: size mismatch for block1.conv.bias"),
        ("decoder.block5.conv.bias", torch.zeros(4), 'does not fit the decoder: Unexpected key(s) in state_dict: "blo'),
    ],
)
def test_weights_of_something_else(path, state, key, value, message):
    state = {name: old for name, old in state.items() if name != key} | ({} if value is None else {key: value})
    save_file(state, path)
    refused(path, message)


def test_weights_of_quite_another_network(path):
    save_file({"layer.weight": torch.zeros(3)}, path)
    refused(path, "it does not hold ift weights")


def test_a_bad_vgg19_is_named(path):
    path.write_bytes(b"hello")
    with pytest.raises(WeightsError, match=r"mine\.safetensors: not a safetensors file nor a PyTorch file"):
        load_networks(vgg19=path)


def test_the_digest_changes_with_any_byte_of_either_file_and_not_with_their_names(tmp_path):
    mine, vgg19 = tmp_path / "mine.safetensors", tmp_path / "vgg19.bin"
    shutil.copyfile(PRETRAINED, mine)
    shutil.copyfile(default_vgg19_file(), vgg19)
    digest = weights_digest()
    assert len(digest) == 64
    assert weights_digest(mine) == weights_digest(str(mine), vgg19) == weights_digest(vgg19=vgg19) == digest
    digests = {digest}
    for path in (mine, vgg19):
        with path.open("r+b") as file:
            file.seek(-5, 2)
            byte = file.read(1)[0]
            file.seek(-5, 2)
            file.write(bytes([byte ^ 1]))
        digests.add(weights_digest(mine, vgg19))
    assert len(digests) == 3


def test_the_digest_of_missing_files(tmp_path):
    for files in ({"path": tmp_path / "none"}, {"vgg19": tmp_path / "none"}, {"path": tmp_path}, {"path": ""}):
        with pytest.raises(WeightsError, match="cannot be read"):
            weights_digest(**files)
