"""What a manifest will take: device hours, storage and money, from measured timings and the user's prices."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.committed import committed_shards
from jobs.errors import JobError, NotFoundInStoreError
from jobs.flags import Planning, Sources
from jobs.job import prepare
from jobs.parquet import from_parquet
from jobs.plan import OBJECTS, PLAN_KEY, Plan, load_plan
from jobs.storage import Store, open_store, read_uri
from jobs.summary import TIMINGS_KEY

_NOT_COUNTED = "starting up, waiting for storage or for room in the cluster, reads, traffic, and what is done again"


class Prices(NamedTuple):
    """What the user pays, in any currency; None for what is not asked.

    Attributes:
        hour: of a device, with its share of the machine.
        gb_month: of 10⁹ bytes stored for a month.
        thousand_puts: of as many writing requests.
    """

    hour: float | None = None
    gb_month: float | None = None
    thousand_puts: float | None = None


@dataclass(frozen=True)
class Estimating:
    """What an estimate is asked for.

    Attributes:
        estimate: whether it is.
        timings: a timings.parquet, or the output that has one; that of the run itself if None.
        workers: that share the work.
        prices: for the money.
        json: a file to write it to as well.
    """

    estimate: bool
    timings: str | None
    workers: int
    prices: Prices
    json: Path | None


class Group(NamedTuple):
    """Pairs that should take equally long.

    Attributes:
        resolution: longer side in pixels; None for each content's own.
        preset: that their settings started from.
    """

    resolution: int | None
    preset: str


@dataclass(frozen=True)
class Expected:
    """What the pairs of a group will take.

    Attributes:
        resolution: of the group.
        preset: of the group.
        pairs: in the manifest.
        left: of these, without a record.
        seconds_per_pair: on a device; None if nothing tells.
        bytes_per_picture: None if nothing tells.
        basis: what these two were taken from, in plain words.
    """

    resolution: int | None
    preset: str
    pairs: int
    left: int
    seconds_per_pair: float | None
    bytes_per_picture: float | None
    basis: str


@dataclass(frozen=True)
class Estimate:
    """What a manifest will take; of hours, requests and the money for them, what is left to do.

    Attributes:
        groups: by resolution and preset.
        pairs: in the manifest.
        left: without a record.
        workers: that share the work.
        device_hours: of all workers together.
        wall_hours: if no worker ever waits.
        gigabytes: 10⁹ bytes of pictures, those included that are there.
        puts: writing requests.
        money_for_hours: None without a price.
        money_for_storage: a month's; None without a price.
        money_for_puts: None without a price.
        unknown_pairs: that are in none of the sums of hours and gigabytes, for nothing tells.
        notes: what else could not be known.
    """

    groups: tuple[Expected, ...]
    pairs: int
    left: int
    workers: int
    device_hours: float
    wall_hours: float
    gigabytes: float
    puts: int
    money_for_hours: float | None
    money_for_storage: float | None
    money_for_puts: float | None
    unknown_pairs: int
    notes: tuple[str, ...]

    def to_json(self) -> bytes:
        """The estimate as one JSON object."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode()


def estimating(
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Freeze nothing: tell what the manifest will take.")
    ] = False,
    timings: Annotated[
        str | None,
        typer.Option(help="For --estimate: timings.parquet of a run, or its output. Default: those of --output."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="For --estimate: devices at work.  [default: 1]")] = None,
    price_per_hour: Annotated[float | None, typer.Option(min=0, help="For --estimate: of a device.")] = None,
    price_per_gb_month: Annotated[float | None, typer.Option(min=0, help="For --estimate: of 10⁹ bytes.")] = None,
    price_per_1000_puts: Annotated[float | None, typer.Option(min=0, help="For --estimate: of requests.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="For --estimate: a file to write it to.")] = None,
) -> Estimating:
    """Makes an `Estimating` of its flags."""
    prices = Prices(price_per_hour, price_per_gb_month, price_per_1000_puts)
    if not estimate and (prices != Prices() or timings or json_file):
        raise typer.BadParameter("--timings, --json and prices mean something with --estimate: give it, too")
    return Estimating(estimate, timings, workers or 1, prices, json_file)


def estimate(store: Store, planned: Planning, sources: Sources, wanted: Estimating, console: Console) -> Estimate:
    """What a manifest will take, and what of it is left to do in an output; freezes and writes nothing there.

    Raises:
        JobError: there are no timings, or they cannot be read; or as `prepare_plan`.
    """
    measured = read_timings(wanted.timings or f"{store.uri}/{TIMINGS_KEY}")
    with TemporaryDirectory(prefix="ift-estimate-") as folder:
        plan = prepare(open_store(folder), planned, sources, console).plan
        pairs = _count(plan, range(plan.shards))
    done = _done(store)
    shards_left = math.ceil(plan.shards * (1 - done.total() / plan.rows))
    objects = plan.layout == OBJECTS
    made = expect(pairs, done, measured, wanted.workers, wanted.prices, shards=shards_left, objects=objects)
    if wanted.json:
        wanted.json.write_bytes(made.to_json())
    return made


def read_timings(uri: str) -> list[dict[str, Any]]:
    """The rows of a run's timings.

    Args:
        uri: of the Parquet file, or of the output that it is in.

    Raises:
        JobError: there are none.
    """
    uri = uri if uri.endswith(".parquet") else f"{uri.rstrip('/')}/{TIMINGS_KEY}"
    try:
        rows: list[dict[str, Any]] = from_parquet(read_uri(uri)).to_pylist()
    except NotFoundInStoreError:
        raise JobError(
            f"an estimate needs measured timings, and {uri} does not exist: run some 100 rows of the manifest with the"
            " same options and another --output, on the machines that you mean, and give that output as --timings"
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise JobError(f"{uri} holds no timings ({error})") from error
    if not rows or "pairs_per_s" not in rows[0]:
        raise JobError(f"{uri} holds no timings: give the timings.parquet of a run in which pairs were done")
    return rows


def expect(
    pairs: Mapping[Group, int],
    done: Mapping[Group, int],
    measured: Sequence[Mapping[str, Any]],
    workers: int,
    prices: Prices,
    *,
    shards: int,
    objects: bool,
) -> Estimate:
    """The estimate, of figures alone.

    Args:
        pairs: in the manifest, by group.
        done: of these, with a record.
        measured: rows of a timings.parquet.
        workers: that share the work.
        prices: for the money.
        shards: that are left.
        objects: whether each picture is an object of its own, and not one of a pack.
    """
    groups = tuple(
        _expected(group, pairs[group], done.get(group, 0), measured)
        for group in sorted(pairs, key=lambda group: (group.resolution or 0, group.preset))
    )
    left = sum(group.left for group in groups)
    hours = sum(group.left * (group.seconds_per_pair or 0) for group in groups) / 3600
    gigabytes = sum(group.pairs * (group.bytes_per_picture or 0) for group in groups) / 1e9
    puts = (left if objects else shards) + shards
    return Estimate(
        groups,
        sum(group.pairs for group in groups),
        left,
        workers,
        hours,
        hours / workers,
        gigabytes,
        puts,
        None if prices.hour is None else hours * prices.hour,
        None if prices.gb_month is None else gigabytes * prices.gb_month,
        None if prices.thousand_puts is None else puts / 1000 * prices.thousand_puts,
        sum(group.pairs for group in groups if None in (group.seconds_per_pair, group.bytes_per_picture)),
        (f"not counted: {_NOT_COUNTED}", "the devices and options are taken for those of the measured run"),
    )


def print_estimate(made: Estimate, console: Console) -> None:
    """The estimate for people."""
    table = Table(title="By resolution", title_justify="left")
    for name in ("resolution", "preset", "pairs", "left", "seconds a pair", "kB a picture", "from"):
        table.add_column(name, justify="left" if name in ("preset", "from") else "right")
    for group in made.groups:
        table.add_row(
            f"{group.resolution or 'own'}",
            escape(group.preset),
            f"{group.pairs:,}",
            f"{group.left:,}",
            _shown(group.seconds_per_pair, ".3f"),
            _shown(group.bytes_per_picture and group.bytes_per_picture / 1e3, ",.1f"),
            group.basis,
        )
    console.print(table)
    money = [
        (made.money_for_hours, "for the devices"),
        (made.money_for_storage, "a month for the storage"),
        (made.money_for_puts, "for the requests"),
    ]
    lines = [
        f"[bold]{made.device_hours:,.2f} device hours[/], {made.wall_hours:,.2f} hours with {made.workers} at work,"
        f" for {made.left:,} pairs",
        f"[bold]{made.gigabytes:,.2f} GB[/] of pictures, {made.puts:,} writing requests",
        *(f"[bold]{amount:,.2f}[/] {what}" for amount, what in money if amount is not None),
        *([f"[yellow]{made.unknown_pairs:,} pairs are in no sum[/]: nothing like them was measured"]
          if made.unknown_pairs else []),
        *([] if any(amount is not None for amount, _ in money) else ["no money: give --price-per-hour and the others"]),
        *made.notes,
    ]  # fmt: skip
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


def _expected(group: Group, pairs: int, done: int, measured: Sequence[Mapping[str, Any]]) -> Expected:
    left = max(pairs - done, 0)
    alike = [row for row in measured if row["preset"] == group.preset]
    if not alike:
        return Expected(*group, pairs, left, None, None, f"unknown: no pair of preset {group.preset} was measured")
    if group.resolution is None:
        counts = [row["count"] for row in alike]
        seconds, size = (_mean([value(row) for row in alike], counts) for value in (_seconds, _bytes))
        return Expected(*group, pairs, left, seconds, size, f"the mean of {sum(counts):,} pairs")
    resolution = group.resolution
    near = min(alike, key=lambda row: (abs(math.log(row["resolution"] / resolution)), row["resolution"]))
    scale = (resolution / near["resolution"]) ** 2
    basis = f"{near['count']:,} pairs" + (f" at {near['resolution']} px, by their area" if scale != 1 else "")
    seconds, size = (None if value is None else value * scale for value in (_seconds(near), _bytes(near)))
    return Expected(*group, pairs, left, seconds, size, basis)


def _seconds(row: Mapping[str, Any]) -> float | None:
    """Of a device, for a pair."""
    return 1 / row["pairs_per_s"] if row["pairs_per_s"] else None


def _bytes(row: Mapping[str, Any]) -> float | None:
    return row.get("bytes")  # which timings of earlier versions lack


def _mean(values: Sequence[float | None], weights: Sequence[int]) -> float | None:
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if value is not None]
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known) if known else None


def _done(store: Store) -> Counter[Group]:
    """The pairs with a record in an output, by group; none if nothing was run there."""
    if not store.exists(PLAN_KEY):
        return Counter()
    plan = load_plan(store)
    return _count(plan, list(committed_shards(store, plan)))


def _count(plan: Plan, shards: Collection[int]) -> Counter[Group]:
    """The pairs of some shards, by group."""
    counts: Counter[Group] = Counter()
    wanted = np.fromiter(shards, np.int64, len(shards))
    for page in plan.pages():
        pairs = page.filter(np.isin(page["shard"].to_numpy(), wanted)).select(["resolution", "preset"])
        texts = pairs.set_column(1, "preset", pairs["preset"].cast(pa.string()))
        for row in texts.group_by(["resolution", "preset"]).aggregate([([], "count_all")]).to_pylist():
            counts[Group(row["resolution"], row["preset"])] += row["count_all"]
    return counts


def _shown(value: float | None, form: str) -> str:
    return "?" if value is None else format(value, form)
