import pickle

import pytest
import torch
from torch.nn import functional
from torchvision.models import AlexNet_Weights, alexnet

from ift.errors import WeightsError
from ift.metrics.lpips import LEAST_SIDE, Lpips, backbone_file

lpips = pytest.importorskip("lpips")

# Of AlexNet's convolutions: layer, stride, padding, whether a pooling comes first.
LAYERS = [(0, 4, 2, False), (3, 1, 2, True), (6, 1, 1, True), (8, 1, 1, False), (10, 1, 1, False)]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path


@pytest.fixture
def state(hub):
    torch.manual_seed(0)
    state = {f"features.{name}": value for name, value in alexnet(weights=None).features.state_dict().items()}
    torch.save(state, backbone_file())
    return state


def _by_the_paper(state, a, b):
    """Zhang et al. (2018), eq. 1, with the package's own heads and nothing else of it."""
    path = lpips.__path__[0] + "/weights/v0.1/alex.pth"
    heads = torch.load(path, map_location="cpu", weights_only=True)
    shift, scale = torch.tensor([[-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]]).reshape(2, 1, 3, 1, 1)
    x = (torch.stack([a, b]) * 2 - 1 - shift) / scale
    distance = 0.0
    for head, (layer, stride, padding, pool) in enumerate(LAYERS):
        x = functional.max_pool2d(x, 3, 2) if pool else x
        weight, bias = state[f"features.{layer}.weight"], state[f"features.{layer}.bias"]
        x = functional.relu(functional.conv2d(x, weight, bias, stride, padding))
        unit = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
        difference = (unit[0] - unit[1]).square()
        distance += (heads[f"lin{head}.model.1.weight"].reshape(-1, 1, 1) * difference).sum(0).mean().item()
    return distance


def test_it_is_the_papers_formula_on_the_weights_of_the_file(state, photo):
    a, b = photo("skimage", "coffee.png"), photo("skimage", "chelsea.png")
    measure = Lpips()
    assert measure(a, b) == pytest.approx(_by_the_paper(state, a, b), rel=1e-4)
    assert measure(a, a) == 0


def test_pictures_too_small_for_alexnet_have_none(state):
    measure = Lpips()
    assert measure(*torch.rand(2, 3, LEAST_SIDE - 1, 100)) is None
    assert measure(*torch.rand(2, 3, LEAST_SIDE, LEAST_SIDE)) > 0


def test_the_file_is_where_torchvision_puts_it():
    url = AlexNet_Weights.IMAGENET1K_V1.url
    assert str(backbone_file()) == f"{torch.hub.get_dir()}/checkpoints/{url.rsplit('/', 1)[1]}"


def test_without_the_weights_the_message_names_the_file_and_the_command(hub):
    with pytest.raises(WeightsError, match=r"alexnet-owt-7be5be79\.pth.*AlexNet_Weights") as raised:
        Lpips()
    assert str(hub) in str(raised.value)


def test_without_the_package_the_message_names_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lpips", None)
    with pytest.raises(WeightsError, match="pip install lpips"):
        Lpips()


class _Malice:
    def __reduce__(self):
        return (pytest.fail, ("code in the file was run",))


@pytest.mark.parametrize("what", ["cut short", "empty", "malicious", "another network", "a list"])
def test_a_damaged_or_foreign_file_is_refused_and_runs_no_code(state, what):
    file = backbone_file()
    whole = file.read_bytes()
    if what == "another network":
        torch.save({"features.0.weight": torch.zeros(1)}, file)
    elif what == "a list":
        torch.save([1, 2], file)
    else:
        file.write_bytes({"cut short": whole[:1000], "empty": b"", "malicious": pickle.dumps(_Malice(), 2)}[what])
    with pytest.raises(WeightsError, match="alexnet-owt"):
        Lpips()
