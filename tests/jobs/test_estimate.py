"""Hours, storage and money against arithmetic by hand."""

import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from jobs import stylize
from jobs.errors import JobError
from jobs.estimate import Group, Prices, expect, read_timings
from jobs.parquet import to_parquet
from jobs.storage import open_store
from jobs.stylize import app
from jobs.summary import TIMINGS_KEY, summarize
from tests.jobs.recorded import finish, plan_pairs

NO_PRICES = Prices()


def measured(resolution, preset="artistic", *, seconds=0.5, size=100_000.0, count=100):
    return {
        "resolution": resolution, "preset": preset, "count": count, "pairs_per_s": seconds and 1 / seconds,
        "bytes": size,
    }  # fmt: skip


def expected(pairs, rows, done=None, workers=1, prices=NO_PRICES, shards=10, *, objects=True):
    return expect(pairs, done or {}, rows, workers, prices, shards=shards, objects=objects)


def test_hours_storage_requests_and_money():
    pairs = {Group(512, "artistic"): 7200, Group(1024, "artistic"): 1800}
    rows = [measured(512, seconds=0.5, size=100_000.0), measured(1024, seconds=2.0, size=400_000.0)]
    made = expected(pairs, rows, workers=4, prices=Prices(3.0, 0.02, 0.005))
    assert made.device_hours == pytest.approx(1 + 1) and made.wall_hours == pytest.approx(0.5)
    assert made.gigabytes == pytest.approx(0.72 + 0.72)
    assert made.puts == 9000 + 10
    assert made.money_for_hours == pytest.approx(6.0)
    assert made.money_for_storage == pytest.approx(0.0288)
    assert made.money_for_puts == pytest.approx(0.04505)
    assert (made.pairs, made.left, made.unknown_pairs) == (9000, 9000, 0)


def test_what_is_done_takes_no_more_time_but_room():
    pairs = {Group(512, "artistic"): 100}
    made = expected(pairs, [measured(512, seconds=36.0)], done={Group(512, "artistic"): 60}, shards=2)
    assert (made.left, made.device_hours, made.puts) == (40, pytest.approx(0.4), 42)
    assert made.gigabytes == pytest.approx(100 * 1e5 / 1e9)


def test_packs_are_two_requests_a_shard():
    assert expected({Group(512, "artistic"): 100}, [measured(512)], shards=4, objects=False).puts == 8


def test_other_resolutions_by_their_area_from_the_nearest_one():
    rows = [measured(256, seconds=0.1, size=1e4), measured(512, seconds=0.3, size=5e4)]
    (group,) = expected({Group(1024, "artistic"): 1}, rows).groups
    assert group.seconds_per_pair == pytest.approx(1.2) and group.bytes_per_picture == pytest.approx(2e5)
    assert "at 512 px" in group.basis


def test_own_sizes_by_the_mean_of_what_was_measured():
    rows = [measured(300, seconds=1.0, size=1e4, count=1), measured(400, seconds=3.0, size=3e4, count=3)]
    (group,) = expected({Group(None, "artistic"): 1}, rows).groups
    assert group.seconds_per_pair == pytest.approx(2.5) and group.bytes_per_picture == pytest.approx(2.5e4)


def test_what_nothing_tells_is_said_and_in_no_sum():
    pairs = {Group(512, "artistic"): 3600, Group(512, "photo"): 50, Group(256, "fast"): 7}
    rows = [measured(512, seconds=1.0), measured(256, "fast", seconds=None)]
    made = expected(pairs, rows)
    assert made.unknown_pairs == 57 and made.device_hours == pytest.approx(1.0)
    assert made.money_for_hours is None and made.money_for_storage is None
    assert any("not counted" in note for note in made.notes)


def run_of(folder, count, *, done, resolutions=(256,)):
    """An output with some shards of 4 done: each pair has half a second in each of four stages on the device."""
    store = open_store(str(folder / "out"))
    plan = plan_pairs(store, folder, count, shard_size=4, resolutions=resolutions)
    for index in range(done):
        finish(store, plan.shard(index))
    store.write(TIMINGS_KEY, to_parquet(summarize(store, plan)[1]))
    return store


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """What is told does not wrap, wherever the module was imported first."""
    monkeypatch.setattr(stylize, "console", Console(width=200))


def plan_command(folder, *arguments, manifest="manifest.csv", output="new"):
    words = ["plan", "--manifest", folder / manifest, "--output", folder / output, *arguments]
    return CliRunner().invoke(app, list(map(str, words)))


def test_a_manifest_from_the_timings_of_a_trial(tmp_path):
    run_of(tmp_path, 8, done=2)
    rows = "".join(f"q{k},c.png,s.png,{256 if k % 4 else 512}\n" for k in range(1000))
    (tmp_path / "large.csv").write_text("pair_id,content,style,resolution\n" + rows)
    result = plan_command(
        tmp_path, "--estimate", "--timings", tmp_path / "out", "--workers", 2, "--price-per-hour", 9,
        "--price-per-gb-month", 1e6, "--json", tmp_path / "estimate.json", manifest="large.csv",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "estimate.json").read_text())
    # Of the 1000 pairs 750 take 2 s each, and 250 four times that, as their pictures are four times as large.
    assert told["device_hours"] == pytest.approx((750 * 2 + 250 * 8) / 3600)
    assert told["wall_hours"] == pytest.approx(told["device_hours"] / 2)
    assert told["gigabytes"] == pytest.approx((750 + 250 * 4) * len(b"picture of p0") / 1e9)
    assert told["money_for_hours"] == pytest.approx(9 * told["device_hours"])
    assert told["money_for_storage"] == pytest.approx(1e6 * told["gigabytes"]) and told["money_for_puts"] is None
    assert [(group["resolution"], group["pairs"]) for group in told["groups"]] == [(256, 750), (512, 250)]
    assert "0.97 device hours" in result.stdout and "0.49 hours with 2 at work" in result.stdout
    assert "at 256 px, by their area" in result.stdout and "8.75 for the devices" in result.stdout
    assert not (tmp_path / "new").exists()


def test_of_a_run_that_is_half_done_what_is_left_by_its_own_timings(tmp_path):
    run_of(tmp_path, 16, done=2)
    result = plan_command(tmp_path, "--estimate", "--shard-size", 4, "--json", tmp_path / "e.json", output="out")
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "e.json").read_text())
    assert (told["pairs"], told["left"], told["puts"]) == (16, 8, 8 + 2)
    assert told["device_hours"] == pytest.approx(8 * 2 / 3600)


def test_without_timings_the_way_to_some_is_told(tmp_path):
    run_of(tmp_path, 4, done=0)
    nowhere = plan_command(tmp_path, "--estimate")
    assert nowhere.exit_code == 2
    assert "new/timings.parquet does not exist: run some 100 rows" in nowhere.stderr
    empty = plan_command(tmp_path, "--estimate", "--timings", tmp_path / "out/timings.parquet")
    assert empty.exit_code == 2 and "holds no timings" in empty.stderr
    (tmp_path / "t.parquet").write_bytes(b"nothing")
    with pytest.raises(JobError, match=r"t\.parquet holds no timings"):
        read_timings(str(tmp_path / "t.parquet"))


def test_flags_of_an_estimate_without_estimate_are_refused(tmp_path):
    run_of(tmp_path, 4, done=0)
    result = plan_command(tmp_path, "--price-per-hour", 3)
    assert result.exit_code == 2 and "--estimate" in result.stderr and not (tmp_path / "new").exists()
