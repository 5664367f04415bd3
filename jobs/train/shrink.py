"""`python -m jobs.train shrink`: the same decoder with the smallest weights that do the same on photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ift import options
from jobs.errors import JobError
from jobs.exit_codes import mistakes_as_exit_code

if TYPE_CHECKING:
    from torch import nn

console = Console()


def shrink(
    images: Annotated[str, typer.Option(help="Folder or s3:// prefix of photos, such as those of the training.")],
    output: Annotated[Path, typer.Option(help="File for the new weights, .safetensors.")],
    weights: options.Weights = None,
    vgg19: options.Vgg19 = None,
    resolution: options.Resolution = 512,
    limit: Annotated[int, typer.Option(min=16, help="Most pictures, evenly spread; 16 at least.")] = 40,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; if not given, the GPU if there is one.")] = None,
) -> None:
    """Takes from the decoder's weights what photos never use, and what enlarges rounding and odd features."""
    with mistakes_as_exit_code():
        if not output.absolute().parent.is_dir():
            raise JobError(f"--output {output}: there is no folder {output.absolute().parent}")
        if output.suffix != ".safetensors":
            raise JobError(f"--output {output}: give a name that ends in .safetensors")
        # PyTorch, which `--help` does without
        from safetensors.torch import load_file, save_file

        from ift import Stylizer
        from ift.training.shrinkage import shrink as shrink_weights
        from ift.weight_files import PRETRAINED
        from ift.weights import load_networks
        from jobs.storage import open_store
        from jobs.train.photos import list_photos, spread, whole_photos

        store = open_store(images)
        names = spread(list_photos(store), limit)
        model = Stylizer.from_pretrained(weights, vgg19=vgg19, device=device)
        # From the file, for the model's own may have gone through bfloat16.
        decoder = load_networks(weights, vgg19)[1].to(model.device)
        before = _length(decoder)
        try:
            used = shrink_weights(model.encoder, decoder, whole_photos(store, names, resolution or None))
        except ValueError as error:
            raise JobError(f"{store.uri}: {error}") from error
        kept = {key: value for key, value in load_file(weights or PRETRAINED).items() if key.startswith("encoder.")}
        new = {f"decoder.{key}": value.half().contiguous().cpu() for key, value in decoder.state_dict().items()}
        try:
            save_file({**kept, **new}, output)
        except OSError as error:
            raise JobError(f"--output {output}: cannot be written ({error.strerror})") from error
        console.print(f"{output}: {before / _length(decoder):.2f} times smaller, by {used} photos", highlight=False)


def _length(decoder: nn.Module) -> float:
    """Root of the sum of squares of all weights."""
    import torch

    return float(torch.stack([value.float().square().sum() for value in decoder.parameters()]).sum().sqrt())
