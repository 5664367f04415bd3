"""LPIPS (Zhang et al. 2018), where the package `lpips` and the weights of its AlexNet are on the machine."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from ift.errors import WeightsError

LEAST_SIDE = 31
"""Pixels below which nothing is left of a picture after AlexNet's poolings."""

_BACKBONE = "alexnet-owt-7be5be79.pth"
"""As torchvision names its `AlexNet_Weights.IMAGENET1K_V1`."""

_FETCH = (
    'python -c "from torchvision.models import AlexNet_Weights as w; w.IMAGENET1K_V1.get_state_dict(check_hash=True)"'
)


class Lpips:
    """The published metric, version 0.1 on AlexNet. Nothing is ever downloaded.

    Raises:
        WeightsError: the package or the weights are missing, or the file is damaged; says how to get them.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        lacking = [] if find_spec("lpips") else ["the package lpips (pip install lpips)"]
        if not backbone_file().exists():
            lacking.append(f"the weights of AlexNet at {backbone_file()} ({_FETCH})")
        if lacking:
            raise WeightsError(f"LPIPS needs {' and '.join(lacking)}")
        import lpips

        state = _load(backbone_file())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package calls torchvision by deprecated names
            # "Random" keeps the package from downloading; every weight is then overwritten.
            network = lpips.LPIPS(net="alex", version="0.1", pretrained=False, pnet_rand=True, verbose=False)
        # The package holds AlexNet's layers in slices: "slice2.3.weight" is "features.3.weight".
        layers = {name: "features." + name.split(".", 1)[1] for name in network.net.state_dict()}
        try:
            network.net.load_state_dict({name: state[layer] for name, layer in layers.items()})
        except (KeyError, RuntimeError, TypeError) as error:
            raise WeightsError(f"{backbone_file()} is not AlexNet as torchvision has it; run: {_FETCH}") from error
        # Not strictly, as in the package itself: its file leaves out constants and second names.
        network.load_state_dict(_load(Path(lpips.__file__).parent / "weights" / "v0.1" / "alex.pth"), strict=False)
        self._network: nn.Module = network.requires_grad_(False).eval().to(device)

    @torch.inference_mode()
    def __call__(self, result: Tensor, content: Tensor) -> float | None:
        """The distance of two pictures (3, H, W) in [0, 1]; None where a side is below `LEAST_SIDE`."""
        if min(result.shape[-2:]) < LEAST_SIDE:
            return None
        distance: Tensor = self._network(result.unsqueeze(0), content.unsqueeze(0), normalize=True)
        return distance.item()


def backbone_file() -> Path:
    """Where torchvision keeps the weights of AlexNet."""
    return Path(torch.hub.get_dir()) / "checkpoints" / _BACKBONE


def _load(file: Path) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds, by what is wrong with the file
        raise WeightsError(f"{file}: cannot be read ({type(error).__name__}); delete it and run: {_FETCH}") from error
    return state
