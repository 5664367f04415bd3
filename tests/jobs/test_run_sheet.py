"""Sheets of a run: which pairs share one, and that each shows what it should, counts all and reads no more."""

import io
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.contact_sheet import Triple, contact_sheet, pairs_sheet
from jobs.run_sheet import sheets_of_run
from jobs.storage.local import LocalStore
from tests.jobs.plans import prepare, write_jsonl


@dataclass(frozen=True)
class Watched(LocalStore):
    """A real folder that remembers what was read."""

    read_keys: list[str] = field(default_factory=list)

    def read(self, key):
        self.read_keys.append(key)
        return super().read(key)


@pytest.fixture
def store(tmp_path):
    return Watched(tmp_path / "out")


def solid(number):
    return Image.new("RGB", (20, 16), (number % 7 * 40, number // 7 % 7 * 40, number // 49 * 40))


def save(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    solid(number).save(path)
    return str(path)


def png(number):
    buffer = io.BytesIO()
    solid(number).save(buffer, "png")
    return buffer.getvalue()


def run_of(store, works, done=True):
    """A run of (content, styles, preset, method); where it is done, the result of row k is `solid(k)`."""
    rows = [
        {"pair_id": f"p{row}", "content": content, "style": styles, "preset": preset, "method": method}
        for row, (content, styles, preset, method) in enumerate(works)
    ]
    folder = store.root.parent
    plan = prepare(LocalStore(folder / "plan"), write_jsonl(folder / "m.jsonl", rows)).plan
    for shard in plan.iter_shards() if done else ():
        for pair in shard.pairs:
            store.write(pair.output, png(pair.row))
    return plan


def grid(folder, contents, styles, preset="artistic", method="ift"):
    sources = [save(folder / f"contents/c{k}.png", 200 + k) for k in range(contents)]
    targets = [(save(folder / f"styles/s{k}.png", 300 + k),) for k in range(styles)]
    return [(content, style, preset, method) for content, style in product(sources, targets)]


def named(uris):
    return [(Path(uri).stem, Image.open(uri)) for uri in dict.fromkeys(uris)]


def table(title, works, first_row=0):
    """What the table of a grid must look like, made from all of its pictures."""
    results = {
        (Path(content).stem, Path(style).stem): solid(first_row + row)
        for row, (content, (style,), _, _) in enumerate(works)
    }
    contents, styles = named(work[0] for work in works), named(work[1][0] for work in works)
    return contact_sheet(title, contents, styles, results)


def listed(title, works, rows):
    triples = [Triple(f"p{row}", Image.open(works[row][0]), Image.open(works[row][1][0]), solid(row)) for row in rows]
    return pairs_sheet(title, triples)


def assert_same(sheet, expected):
    assert sheet.size == expected.size
    difference = np.abs(np.asarray(sheet, int) - np.asarray(expected, int))
    assert difference.max() <= 2  # thumbnails are scaled twice


def test_a_sheet_for_each_preset_and_method_says_so(tmp_path, store):
    groups = [("artistic", "ift"), ("artistic", "wct"), ("photo", "ift"), ("photo", "adain,ift,ift,ost")]
    works = [work for preset, method in groups for work in grid(tmp_path, 2, 3, preset, method)]
    sheets = dict(sheets_of_run(store, run_of(store, works)))
    names = ["artistic_ift", "artistic_wct", "photo_ift", "photo_adain-ift-ift-ost"]
    assert sheets.keys() == set(names)
    for place, (name, (preset, method)) in enumerate(zip(names, groups, strict=True)):
        title = f"6 pairs, preset {preset}, method {method}"
        assert_same(sheets[name], table(title, works[6 * place : 6 * place + 6], 6 * place))


def test_a_large_table_reads_what_it_shows_and_counts_what_it_does_not(tmp_path, store):
    works = grid(tmp_path, 19, 2)
    plan = run_of(store, works)
    ((_, sheet),) = sheets_of_run(store, plan)
    assert sorted(store.read_keys) == sorted(f"images/p{row}.png" for row in range(32))
    assert_same(sheet, table("38 pairs, preset artistic, method ift", works))


def test_contents_of_one_name_in_two_folders_are_listed_one_by_one(tmp_path, store):
    works = grid(tmp_path / "a", 2, 1)
    works += [(save(tmp_path / "b/contents/c0.png", 250), *works[0][1:])]
    ((_, sheet),) = sheets_of_run(store, run_of(store, works))
    assert_same(sheet, listed("3 pairs, preset artistic, method ift", works, range(3)))


def test_styles_of_one_name_are_listed_one_by_one(tmp_path, store):
    works = grid(tmp_path, 1, 2)
    works[1] = (works[1][0], (save(tmp_path / "more/s0.png", 260),), *works[1][2:])
    ((_, sheet),) = sheets_of_run(store, run_of(store, works))
    assert_same(sheet, listed("2 pairs, preset artistic, method ift", works, range(2)))


def test_what_is_no_table_is_listed(tmp_path, store):
    works = grid(tmp_path, 2, 2)[:3]
    ((_, sheet),) = sheets_of_run(store, run_of(store, works))
    assert_same(sheet, listed("3 pairs, preset artistic, method ift", works, range(3)))


def test_a_very_large_run_is_shown_by_its_first_pairs(tmp_path, store):
    content, style = save(tmp_path / "c.png", 200), (save(tmp_path / "s.png", 300),)
    works = [(content, style, "artistic", "ift")] * 10_040
    plan = run_of(store, works, done=False)
    for pair in plan.shard(0).pairs:
        store.write(pair.output, png(pair.row))
    ((_, sheet),) = sheets_of_run(store, plan)
    assert len(store.read_keys) == 32
    assert_same(sheet, listed("the first of 10040 pairs, preset artistic, method ift", works, range(32)))


def test_a_result_that_is_not_there_is_marked_and_takes_nothing_else_away(tmp_path, store):
    works = grid(tmp_path, 2, 2)
    plan = run_of(store, works)
    store.delete("images/p2.png")
    ((_, sheet),) = sheets_of_run(store, plan)
    contents, styles = named(work[0] for work in works), named(work[1][0] for work in works)
    results = {(f"c{row // 2}", f"s{row % 2}"): None if row == 2 else solid(row) for row in range(4)}
    assert_same(sheet, contact_sheet("4 pairs, preset artistic, method ift", contents, styles, results))
