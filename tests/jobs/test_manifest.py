"""Manifests: what a row becomes, whichever format it is in, and what each unusable one is told."""

import csv
import io
import json
import re
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ift import OPTIONS, PRESETS, Settings, SettingsError
from jobs.errors import ManifestError, NotFoundInStoreError
from jobs.manifest import Defaults
from jobs.storage import open_store
from tests.jobs.plans import read_manifest, write_jsonl

PLAIN = {"content": "a.jpg", "style": "b.jpg"}


def write_csv(path, rows):
    def cell(name, value):
        if isinstance(value, list):
            return (";" if name in ("style", "style_weight", "style_mask") else ",").join(map(str, value))
        return "" if value is None else str(value)

    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([cell(name, row.get(name)) for name in names] for row in rows)
    return str(path)


def write_parquet(path, rows):
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if any(isinstance(value, list) for value in values):
            values = [value if isinstance(value, list) or value is None else [value] for value in values]
        columns[name] = values
    pq.write_table(pa.table(columns), path)
    return str(path)


def read_rows(tmp_path, rows, **defaults):
    return read_manifest(write_jsonl(tmp_path / "pairs.jsonl", rows), Defaults(**defaults))


def error_of(tmp_path, rows, **defaults):
    with pytest.raises(ManifestError) as caught:
        read_rows(tmp_path, rows, **defaults)
    return str(caught.value)


# What a row becomes


def test_a_full_row(tmp_path):
    row = {
        "pair_id": "first.pair",
        "content": "photos/a.jpg",
        "style": ["b.png", "s3://bucket/c.png"],
        "style_weight": [3, 1],
        "resolution": 512,
        "style_resolution": 256,
        "output": "sub/a.webp",
        "content_mask": "masks/a.png",
        "style_mask": ["s3://bucket/m.png", "red"],
        "method": "wct,ift,ift,ost",
        "preset": "photo",
        "n_upd": "1,2,3,4",
        "gate": 0.5,
    }
    (pair,) = read_rows(tmp_path, [row]).pairs
    assert (pair.row, pair.pair_id, pair.method, pair.preset) == (0, "first.pair", "wct,ift,ift,ost", "photo")
    assert pair.content == str(tmp_path / "photos/a.jpg")
    assert pair.styles == (str(tmp_path / "b.png"), "s3://bucket/c.png")
    assert pair.style_weights == (0.75, 0.25)
    assert pair.content_mask == str(tmp_path / "masks/a.png")
    assert pair.style_masks == ("s3://bucket/m.png", "label:256")
    assert (pair.resolution, pair.style_resolution, pair.output) == (512, 256, "images/sub/a.webp")
    assert Settings.from_json(pair.settings) == Settings.from_options(
        "photo", method="wct,ift,ift,ost", n_upd=[1, 2, 3, 4], gate=0.5
    )


def test_a_plain_row_takes_the_defaults(tmp_path):
    (pair,) = read_rows(tmp_path, [PLAIN], preset="photo", options={"gate": 0.25, "eta": None}, resolution=640).pairs
    assert (pair.preset, pair.resolution, pair.style_resolution) == ("photo", 640, 640)
    assert pair.output == f"images/{pair.pair_id}.png"
    assert pair.style_weights == (1.0,)
    assert (pair.method, pair.content_mask, pair.style_masks) == ("ift", None, (None,))
    assert Settings.from_json(pair.settings) == Settings.from_options("photo", gate=0.25)


def test_a_row_goes_before_the_defaults(tmp_path):
    rows = [
        {**PLAIN, "preset": "photo", "resolution": 100},
        {**PLAIN, "gate": 1, "resolution": None},
        {**PLAIN, "lambda": 2},
        {**PLAIN, "strength": 3},
    ]
    pairs = read_rows(tmp_path, rows, options={"gate": 0.25, "strength": 7}, resolution=200).pairs
    assert [pair.resolution for pair in pairs] == [100, 200, 200, 200]
    assert [Settings.from_json(pair.settings) for pair in pairs] == [
        Settings.from_options("photo", gate=0.25, strength=7),
        Settings.from_options(gate=1, strength=7),
        Settings.from_options(gate=0.25, lambda_=2),  # replaces the job's strength, its alternative
        Settings.from_options(gate=0.25, strength=3),
    ]


def test_every_option_can_be_a_column(tmp_path):
    values = asdict(
        Settings.from_options(method="wct,wct,ift,ost", lambda_=(1, 2, 3, 4), solver="fixed_step", centred=False)
    )
    (pair,) = read_rows(tmp_path, [{**PLAIN, **values}]).pairs
    assert values.keys() == set(OPTIONS)
    assert asdict(Settings.from_json(pair.settings)) == values


@pytest.mark.parametrize("method", ["ift", "wct", "ost", "adain", "avatar", "nst", "adain,adain,ost,avatar"])
def test_a_method_by_its_name_or_per_level(tmp_path, method):
    by_row, by_job = (
        read_rows(tmp_path, [{**PLAIN, **row}], **job).pairs[0]
        for row, job in (({"method": method}, {"options": {"method": "adain"}}), ({}, {"options": {"method": method}}))
    )
    assert by_row.method == by_job.method == method
    assert (
        Settings.from_json(by_row.settings)
        == Settings.from_json(by_job.settings)
        == Settings(**{**asdict(PRESETS["artistic"]), "method": method})
    )


def test_masks_of_styles(tmp_path):
    styles = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    masks = ["light blue", 7, "s/m.png", None, "./red"]
    masked = {"content": "x.jpg", "style": styles, "content_mask": "s3://bucket/m.png"}
    given, none = read_rows(tmp_path, [{**masked, "style_mask": masks}, masked]).pairs
    assert given.content_mask == none.content_mask == "s3://bucket/m.png"
    assert given.style_masks == ("label:260", "label:7", str(tmp_path / "s/m.png"), None, str(tmp_path / "red"))
    assert none.style_masks == (None,) * 5


def test_in_csv_masks_of_styles_are_separated_as_styles_are(tmp_path):
    (tmp_path / "m.csv").write_text(
        "content,style,content_mask,style_mask\na,b,m.png,\na,b;c,m.png,none; 3\na,b;c,,none;none\na,d,,\n"
    )
    pairs = read_manifest(str(tmp_path / "m.csv"), Defaults()).pairs
    assert [pair.content_mask and Path(pair.content_mask).name for pair in pairs] == ["m.png", "m.png", None, None]
    assert [pair.style_masks for pair in pairs] == [(None,), (None, "label:3"), (None, None), (None,)]


def test_a_column_of_numbers_is_one_of_labels(tmp_path):
    table = pa.table(
        {"content": ["a", "b"], "style": ["s", "s"], "content_mask": ["m", None], "style_mask": pa.array([255, None])}
    )
    pq.write_table(table, tmp_path / "m.parquet")
    pairs = read_manifest(str(tmp_path / "m.parquet"), Defaults()).pairs
    assert [pair.style_masks for pair in pairs] == [("label:255",), (None,)]


@pytest.mark.slow
def test_masks_on_s3_are_relative_to_a_manifest_there_and_stay_in_its_bucket(s3):
    bucket = s3.bucket()
    store = open_store(f"s3://{bucket}/deep")
    row = {**PLAIN, "content_mask": "../m/c.png", "style_mask": "m/s.png"}
    store.write("pairs.jsonl", json.dumps(row).encode())
    (pair,) = read_manifest(f"s3://{bucket}/deep/pairs.jsonl", Defaults()).pairs
    assert (pair.content_mask, pair.style_masks) == (f"s3://{bucket}/m/c.png", (f"s3://{bucket}/deep/m/s.png",))
    for change in ({"content_mask": "../../c.png"}, {"style_mask": "../../s.png"}):
        store.write("pairs.jsonl", json.dumps({**row, **change}).encode())
        with pytest.raises(ManifestError, match="leads out of the bucket"):
            read_manifest(f"s3://{bucket}/deep/pairs.jsonl", Defaults())


def test_spellings_of_one_value_are_one_pair(tmp_path):
    for values in ([True, "true", 1, "yes"], [False, "False", 0, "no"]):
        rows = [{**PLAIN, "centred": value} for value in values]
        assert "3 of 4 rows cannot be used" in error_of(tmp_path, rows)
    masked = {**PLAIN, "content_mask": "m.png"}
    for masks in (["light blue", "cyan", 260, ["LIGHT-BLUE"]], [None, "none", "None", [None]]):
        rows = [{**masked, "style_mask": mask} for mask in masks]
        assert "3 of 4 rows cannot be used" in error_of(tmp_path, rows)


@pytest.mark.parametrize("column", ["label", "group"])
def test_names_of_classes_and_groups_may_be_numbers(tmp_path, column):
    rows = [{"content": f"{number}.jpg", "style": "s", column: name} for number, name in enumerate(["ä b", 7, None])]
    paths = write_jsonl(tmp_path / "m.jsonl", rows), write_csv(tmp_path / "m.csv", rows)
    for path in paths:
        assert [getattr(pair, column) for pair in read_manifest(path).pairs] == ["ä b", "7", None]
    pq.write_table(pa.table({"content": ["a"], "style": ["s"], column: [1]}), tmp_path / "m.parquet")
    assert getattr(read_manifest(tmp_path / "m.parquet").pairs[0], column) == "1"


def test_a_relative_manifest_gives_absolute_pictures(tmp_path, monkeypatch):
    write_jsonl(tmp_path / "pairs.jsonl", [PLAIN])
    monkeypatch.chdir(tmp_path)
    manifest = read_manifest("pairs.jsonl", Defaults())
    assert manifest.pairs[0].content == str(tmp_path / "a.jpg")


NAMES = st.text("abcÄ漢 _-.%", min_size=1, max_size=8).map(lambda name: f"x{name}.jpg")
OPTIONAL = {
    "resolution": st.integers(16, 100_000),
    "style_resolution": st.integers(16, 100_000),
    "preset": st.sampled_from(sorted(PRESETS)),
    "method": st.sampled_from(["ift", "wct", "adain", "wct,ost,ift,adain"]),
    "keep_colours": st.booleans(),
    "guided_radius": st.integers(0, 20),
    "gate": st.floats(0, 1),
    "strength": st.one_of(st.floats(0, 1e6), st.lists(st.floats(0, 1e6), min_size=4, max_size=4)),
    "n_upd": st.integers(0, 100),
    "solver": st.sampled_from(["line_search", "fixed_step"]),
    "centred": st.booleans(),
    "caption": st.text("abc", min_size=1, max_size=4),
    "label": st.text("abc", min_size=1, max_size=4),
    "group": st.text("abc1", min_size=1, max_size=2),
}


@st.composite
def manifest_rows(draw):
    count = draw(st.integers(1, 6))
    rows = []
    for number in range(count):
        styles = draw(st.lists(NAMES, min_size=1, max_size=3))
        row = {"content": f"{number}/{draw(NAMES)}", "style": styles if len(styles) > 1 else styles[0]}
        if draw(st.booleans()):
            row["style_weight"] = draw(st.lists(st.floats(0.001, 1000), min_size=len(styles), max_size=len(styles)))
        if draw(st.booleans()):
            row["content_mask"] = draw(NAMES)
            masks = st.lists(NAMES | st.sampled_from(["none", "red", "12"]), min_size=len(styles), max_size=len(styles))
            row["style_mask"] = draw(st.none() | masks)
        if draw(st.booleans()):
            row["pair_id"] = f"id-{number}"
        row |= {name: draw(values) for name, values in OPTIONAL.items() if draw(st.booleans())}
        if "content_mask" in row:
            row.pop("group", None)
        rows.append(row)
    return rows


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(rows=manifest_rows())
def test_every_format_gives_the_same_pairs(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("formats")
    expected = read_manifest(write_jsonl(folder / "m.jsonl", rows), Defaults()).pairs
    assert read_manifest(write_csv(folder / "m.csv", rows), Defaults()).pairs == expected
    assert read_manifest(write_parquet(folder / "m.parquet", rows), Defaults()).pairs == expected
    ids = [pair.pair_id for pair in expected]
    assert len(set(ids)) == len(rows)
    for pair in expected:
        assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", pair.pair_id)
        assert sum(pair.style_weights) == pytest.approx(1)
        assert len(pair.style_weights) == len(pair.styles) == len(pair.style_masks)


def test_parquet_types_that_other_tools_write(tmp_path):
    table = pa.table(
        {
            "content": pa.array(["a.jpg", "b.jpg"]).dictionary_encode(),
            "style": pa.array(["s.jpg", "s.jpg"], pa.large_string()),
            "resolution": pa.array([512.0, None]),
            "gate": pa.array([Decimal("0.5"), None]),
            "style_weight": pa.array([2, None], pa.int8()),
            "n_upd": pa.array([[1, 2, 3, 4], None], pa.list_(pa.int32(), 4)),
        }
    )
    pq.write_table(table, tmp_path / "m.pq")
    first, second = read_manifest(str(tmp_path / "m.pq"), Defaults()).pairs
    assert (first.resolution, second.resolution) == (512, None)
    assert Settings.from_json(first.settings) == Settings.from_options(gate=0.5, n_upd=[1, 2, 3, 4])
    assert Settings.from_json(second.settings) == Settings.from_options()


def test_parquet_without_a_suffix_is_recognised(tmp_path):
    write_parquet(tmp_path / "manifest", [PLAIN])
    assert len(read_manifest(str(tmp_path / "manifest"), Defaults()).pairs) == 1


def test_jsonl_with_byte_order_mark_windows_lines_and_blank_lines(tmp_path):
    path = tmp_path / "m.ndjson"
    path.write_bytes(b'\xef\xbb\xbf{"content": "a.jpg", "style": "b.jpg"}\r\n\r\n{"style": "c", "content": "d"}')
    assert [Path(pair.content).name for pair in read_manifest(str(path), Defaults()).pairs] == ["a.jpg", "d"]


def test_separator_in_a_file_name_is_no_list_outside_csv(tmp_path):
    (pair,) = read_rows(tmp_path, [{"content": "a.jpg", "style": "b;c.jpg"}]).pairs
    assert pair.styles == (str(tmp_path / "b;c.jpg"),)


# Derived ids


def test_a_derived_id_names_the_pictures(tmp_path):
    one, many = read_rows(
        tmp_path,
        [
            {"content": "s3://b/x/Fôto 1.tar.jpg", "style": "d/" + "y" * 90},
            {"content": ".hidden", "style": ["p.png", "q.png"]},
        ],
    ).pairs
    assert re.fullmatch(rf"F_to_1_tar-{'y' * 40}-[0-9a-f]{{16}}", one.pair_id)
    assert re.fullmatch(r"_hidden-p-more-[0-9a-f]{16}", many.pair_id)


def test_a_derived_id_of_a_row_without_masks_group_and_method_is_what_it_always_was(tmp_path):
    """Else a manifest that was run before would give its pictures other names."""
    rows = [PLAIN, {"content": "a", "style": ["b", "c"], "style_weight": [3, 1], "n_upd": 7, "preset": "photo"}]
    assert [pair.pair_id for pair in read_rows(tmp_path, rows).pairs] == [
        "a-b-94236a6112b3098e",
        "a-b-more-7b78a8bdf74d0d21",
    ]


def test_a_derived_id_survives_moving_the_folder_other_rows_and_other_defaults(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    row = {**PLAIN, "gate": 0.5}
    (before,) = read_rows(tmp_path, [row]).pairs
    _, after = read_rows(tmp_path / "elsewhere", [PLAIN, row], preset="photo", resolution=99).pairs
    assert before.pair_id == after.pair_id
    assert before.content != after.content


@pytest.mark.parametrize(
    "change",
    [
        {"content": "other/a.jpg"},
        {"style": ["b.jpg", "b.jpg"]},
        {"resolution": 512},
        {"style_resolution": 512},
        {"preset": "artistic"},
        {"gate": 0.0},
        {"n_upd": 7},
        {"method": "wct"},
        {"content_mask": "m.png"},
        {"content_mask": "m.png", "style_mask": "m.png"},
        {"content_mask": "m.png", "style_mask": "3"},
        {"group": "reel"},
    ],
)
def test_a_derived_id_differs_wherever_the_row_does(tmp_path, change):
    one, two = read_rows(tmp_path, [PLAIN, {**PLAIN, **change}]).pairs
    assert one.pair_id != two.pair_id


def test_a_derived_id_tells_masks_apart(tmp_path):
    masks = [{"content_mask": c, "style_mask": s} for c in "mn" for s in (None, "m", "n", "256", "label:256")]
    pairs = read_rows(tmp_path, [{**PLAIN, **mask} for mask in masks]).pairs
    assert len({pair.pair_id for pair in pairs}) == len({(p.content_mask, p.style_masks) for p in pairs}) == 10


def test_weights_tell_pairs_apart_but_their_scale_does_not(tmp_path):
    row = {"content": "a", "style": ["b", "c"]}
    one, two = read_rows(tmp_path, [row, {**row, "style_weight": [1, 2]}]).pairs
    assert one.pair_id != two.pair_id
    assert "rows 0 and 1 are the same pair" in error_of(tmp_path, [row, {**row, "style_weight": [4, 4]}])


# Rows that cannot be used: the message names row, column, value and remedy


@pytest.mark.parametrize(
    ("column", "value", "remedy"),
    [
        ("content", None, "is missing: name a picture, or remove the row"),
        ("content", "", "is empty: give a value"),
        ("content", 7, "must be text"),
        ("content", ["a.jpg"], "must be text"),
        ("content", "x" * 4097, "has 4097 characters: at most 4096"),
        ("content", "a\nb.jpg", "control characters or line breaks: remove them"),
        ("content", "a\x00b.jpg", "control characters or line breaks: remove them"),
        ("content", "a\u2028b.jpg", "control characters or line breaks: remove them"),
        ("content", "a\ud800.jpg", "control characters or line breaks: remove them"),
        ("content", "http://host/a.jpg", "http:// is not supported; use s3://, file:// or a local path"),
        ("content", "s3:///a.jpg", "write s3://bucket/key"),
        ("style", None, "is missing: name a picture, or remove the row"),
        ("style", [], "names no style: give at least one"),
        ("style", ["b.jpg", ""], "is empty"),
        ("style", ["b.jpg", None], "must be text"),
        ("style", {"uri": "b.jpg"}, "must be text or a list of texts"),
        ("pair_id", "a/b", "must be text of 1 to 200 letters"),
        ("pair_id", ".a", "does not start with '.'"),
        ("pair_id", "a" * 201, "must be text of 1 to 200 letters"),
        ("pair_id", "a\n", "must be text of 1 to 200 letters"),
        ("pair_id", 5, "or null for a derived one"),
        ("style_weight", float("nan"), "must be a positive finite number for each style"),
        ("style_weight", float("inf"), "must be a positive finite number for each style"),
        ("style_weight", 10**400, "must be a positive finite number for each style"),
        ("style_weight", [0], "must be a positive finite number for each style"),
        ("style_weight", [-1.0], "must be a positive finite number for each style"),
        ("style_weight", [], "must be a positive finite number for each style"),
        ("style_weight", True, "must be a positive finite number for each style"),
        ("style_weight", "heavy", "must be a positive finite number for each style"),
        ("style_weight", [0.5, 0.5], "there are 1 styles: give one weight for each"),
        ("resolution", 15, "must be a whole number of pixels from 16 to 100000"),
        ("resolution", 100_001, "must be a whole number of pixels from 16 to 100000"),
        ("resolution", 512.5, "or null for the job's default"),
        ("resolution", float("nan"), "or null for the job's default"),
        ("resolution", True, "must be a whole number"),
        ("resolution", "large", "must be a whole number"),
        ("style_resolution", 0, "must be a whole number of pixels from 16 to 100000"),
        ("output", "a.gif", "must end with one of .jpg .jpeg .png .webp .tif .tiff"),
        ("output", ".png", "must end with one of"),
        ("output", "../a.png", "must be a path below the job's images"),
        ("output", "/a.png", "must be a path below the job's images"),
        ("output", "", "is empty"),
        ("output", "a/" * 450 + "a.png", "must be a path below the job's images"),
        ("method", "gatys", "no method is named 'gatys': choose one of ift, wct, ost, adain, avatar, nst"),
        ("method", "wct,ost", "give one name, or four for relu1_1"),
        ("method", "nst,ift,ift,ift", "it cannot be mixed with other methods"),
        ("method", 7, "give one name, or four for relu1_1"),
        ("alpha", 2, "alpha = 2.0 is out of range: it must be a number from 0 (content) to 1"),
        ("nst_steps", 0, "nst_steps = 0 is out of range"),
        ("keep_colours", "maybe", "keep_colours = 'maybe': it must be true or false"),
        ("guided_radius", 0.5, "is not a whole number"),
        ("preset", "artful", "is not a preset: choose one of artistic, photo"),
        ("preset", ["photo"], "is not a preset: choose one of artistic, photo"),
        ("content_mask", "", "is empty: give a value"),
        ("content_mask", 3, "must be text"),
        ("content_mask", "http://host/m.png", "http:// is not supported; use s3://, file:// or a local path"),
        ("style_mask", "m.png", "means nothing without content_mask: give both, or neither"),
        ("style_mask", "red", "means nothing without content_mask: give both, or neither"),
        ("style_mask", ["m.png", "n.png"], "there are 1 styles: give one mask for each, none where"),
        ("style_mask", [], "names no mask: give one for each style, or null for the whole column"),
        ("style_mask", "", "must be a label image, a label such as red or 3, or none, for each style"),
        ("style_mask", ["red", ""], "must be a label image, a label such as red or 3, or none, for each style"),
        ("style_mask", True, "must be a label image, a label such as red or 3, or none, for each style"),
        ("style_mask", 0.5, "must be a label image, a label such as red or 3, or none, for each style"),
        ("style_mask", "a\nb.png", "control characters or line breaks: remove them"),
        ("label", "", "is empty: give a value, or null where the column is optional"),
        ("label", "x" * 201, "has 201 characters: at most 200"),
        ("group", "", "is empty: give a value, or null where the column is optional"),
        ("group", "x" * 201, "has 201 characters: at most 200"),
        ("group", 0.5, "must be text"),
        ("group", True, "must be text"),
        ("group", ["a"], "must be text"),
        ("group", "a\nb", "control characters or line breaks: remove them"),
        ("gate", 2, "gate = 2.0 is out of range: it must be a number from 0"),
        ("gate", [[1]], "must be a number, a list of numbers, or text such as '1,2,3,4'"),
        ("gate", {"a": 1}, "must be a number, a list of numbers, or text such as '1,2,3,4'"),
        ("n_upd", "1,2", "give one number, or four for relu1_1"),
        ("n_upd", [], "give one number, or four for relu1_1"),
        ("strength", 10**400, "too large"),
        ("strength", -1, "strength = -1.0 is out of range: it must be a finite number, 0 or more"),
        ("eta", "", "is empty"),
        ("strength", "strong", "is not a number"),
        ("solver", "newton", "solver = 'newton' is out of range: it must be"),
        ("centred", "maybe", "centred = 'maybe': it must be true or false"),
    ],
)
def test_a_row_that_cannot_be_used(tmp_path, column, value, remedy):
    message = error_of(tmp_path, [{"content": "0.jpg", "style": "s.jpg"}, {**PLAIN, column: value}])
    assert message.startswith(f"{tmp_path / 'pairs.jsonl'}: 1 of 2 rows cannot be used:\n")
    assert f"row 1 (counting from 0), column {column}, value " in message
    assert remedy in message


def test_a_long_value_is_cut(tmp_path):
    message = error_of(tmp_path, [{**PLAIN, "pair_id": "x" * 5000}])
    assert f"value '{'x' * 76}...: must be" in message


@pytest.mark.parametrize("method", ["avatar", "nst"])
def test_methods_without_masks_are_refused_with_masks(tmp_path, method):
    remedy = f"the method {method} takes no masks: choose another, or remove the masks"
    masked = {**PLAIN, "content_mask": "m.png"}
    message = error_of(tmp_path, [{**masked, "method": method}])
    assert f"row 0 (counting from 0), column content_mask, value 'm.png': {remedy}" in message
    assert remedy in error_of(tmp_path, [PLAIN, masked], options={"method": method})
    read_rows(tmp_path, [{**masked, "method": "wct"}, {**PLAIN, "method": method}])


def test_groups_and_masks_are_refused_together(tmp_path):
    remedy = "groups and masks do not go together: remove the group, or the masks"
    masked = {**PLAIN, "content_mask": "m.png"}
    message = error_of(tmp_path, [{**PLAIN, "group": "reel"}, {**masked, "group": 7}, {**masked, "style_mask": "red"}])
    assert f"1 of 3 rows cannot be used:\n  row 1 (counting from 0), column group, value '7': {remedy}" in message


def test_nst_is_refused_with_a_group(tmp_path):
    remedy = "the method nst takes no groups: choose another, or remove the group"
    grouped = {**PLAIN, "group": "reel"}
    message = error_of(tmp_path, [{**grouped, "method": "nst"}])
    assert f"row 0 (counting from 0), column group, value 'reel': {remedy}" in message
    message = error_of(tmp_path, [PLAIN, {**grouped, "method": "wct"}, grouped], options={"method": "nst"})
    assert f"1 of 3 rows cannot be used:\n  row 2 (counting from 0), column group, value 'reel': {remedy}" in message
    read_rows(tmp_path, [{**grouped, "method": "avatar"}, {**PLAIN, "method": "nst"}])


def test_a_style_mask_needs_a_place_to_resolve_to(tmp_path):
    masked = {**PLAIN, "content_mask": "m.png", "style_mask": "ftp://host/m.png"}
    assert "column style_mask, value 'ftp://host/m.png': 'ftp://host/m.png': ftp:// is not" in error_of(
        tmp_path, [masked]
    )


def test_options_that_contradict_each_other_name_both_columns(tmp_path):
    message = error_of(tmp_path, [{**PLAIN, "strength": 1, "lambda": 2}])
    assert "row 0 (counting from 0), column strength, lambda_, value ((1.0, 1.0, 1.0, 1.0), (2.0, " in message
    assert "give either strength" in message


def test_defaults_that_contradict_each_other_are_not_the_rows_fault(tmp_path):
    with pytest.raises(SettingsError, match="give either strength"):
        read_rows(tmp_path, [PLAIN], options={"strength": 1, "lambda_": 2})


def test_the_same_pair_twice(tmp_path):
    rows = [{"content": f"{number}.jpg", "style": "b.jpg", "n_upd": 3} for number in range(18)]
    rows[17] = {**rows[3], "n_upd": "3,3,3,3"}
    message = error_of(tmp_path, rows)
    assert "rows 3 and 17 are the same pair: remove one, or give them different pair_id" in message
    assert "row 17 (counting from 0), column content and style, value ('3.jpg', 'b.jpg'): rows 3" in message
    rows[17]["pair_id"] = "again"
    assert len(read_rows(tmp_path, rows).pairs) == 18


def test_an_id_twice(tmp_path):
    rows = [{"content": name, "style": "s", "pair_id": "same"} for name in "abc"]
    message = error_of(tmp_path, rows)
    assert "row 1 (counting from 0), column pair_id, value 'same': row 0 has it too: give each row its own" in message
    assert "row 2 (counting from 0), column pair_id" in message
    derived = read_rows(tmp_path, [PLAIN]).pairs[0].pair_id
    message = error_of(tmp_path, [PLAIN, {"content": "x", "style": "y", "pair_id": derived}])
    assert f"row 1 (counting from 0), column pair_id, value '{derived}': row 0 has it too" in message


def test_an_output_twice(tmp_path):
    rows = [{"content": name, "style": "s", "output": "same.png"} for name in "ab"]
    message = error_of(tmp_path, rows)
    assert "row 1 (counting from 0), column output, value 'same.png': row 0 has it too: give each" in message


def test_many_errors_in_one_message(tmp_path):
    rows = [{"content": f"{number}.jpg", "style": "s", "resolution": number} for number in range(40)]
    message = error_of(tmp_path, rows)
    assert "16 of 40 rows cannot be used; the first 10:" in message
    assert [int(row) for row in re.findall(r"row (\d+) \(", message)] == list(range(10))


def test_errors_of_all_kinds_come_together_in_the_order_of_rows(tmp_path):
    rows = [
        {**PLAIN, "gate": 5},
        {**PLAIN, "resolution": 3},
        {**PLAIN, "style": ""},
        {**PLAIN, "pair_id": "fine"},
    ]
    assert re.findall(r"row (\d+) \(counting from 0\), column (\w+)", error_of(tmp_path, rows)) == [
        ("0", "gate"),
        ("1", "resolution"),
        ("2", "style"),
    ]


# Files that are no manifests


def png_bytes():
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.png", png_bytes(), "is not a manifest: give a Parquet, CSV or JSONL file (.parquet, .pq, .csv"),
        ("noname", b"content,style\n", "is not a manifest"),
        ("a.parquet", png_bytes(), "cannot be read as parquet"),
        ("a.parquet", b"PAR1 and no more PAR1", "cannot be read as parquet"),
        ("a.csv", png_bytes(), "cannot be read as csv"),
        ("a.csv", b"", "cannot be read as csv: Empty CSV"),
        (
            "a.csv",
            b"content,style\na,b\n\xff,b\n",
            "row 1 (counting from 0), column content, value b'\\xff': is not UTF-8: save the file as UTF-8",
        ),
        ("a.csv", b"content,style\n", "has no rows: write one for each pair"),
        (
            "a.csv",
            b"content,style,n_upd\na,b,3\na,b,1,2,3,4\n",
            "row 1 (counting from 0), value 'a,b,1,2,3,4': has 6 cells for 3 columns: write one cell for each,"
            " and put a cell that holds commas into double quotes",
        ),
        ("a.csv", b"content;style\na;b\n", "no column content and no column style"),
        ("a.csv", b"content,style,style\na,b,c\n", "has 2 columns that mean style: keep one of them"),
        ("a.csv", b"content,style,lambda,lambda_\na,b,1,1\n", "has 2 columns that mean lambda_: keep one of them"),
        ("a.csv", b"content,style\na,b;\n", "row 0 (counting from 0), column style, value ['b', '']: is empty"),
        ("a.csv", b'content,style\n"a\nb",c\n', "control characters or line breaks: remove them"),
        ("a.jsonl", b"", "has no rows"),
        ("a.jsonl", png_bytes(), "line 1 is not JSON"),
        ("a.jsonl", b'{"content": "a", "style": "b"}\n\n{"content"', "line 3 is not JSON"),
        ("a.jsonl", b'["a", "b"]', "line 1 is ['a', 'b']: write one object a line, such as"),
        ("a.jsonl", b"[" * 100_000, "cannot be read as jsonl"),
        ("a.jsonl", b'{"content": "a"}', "has no column style: name the columns that hold the pictures so"),
    ],
)
def test_a_file_that_is_no_manifest(tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ManifestError) as caught:
        read_manifest(str(tmp_path / name), Defaults())
    assert str(tmp_path / name) in str(caught.value)
    assert words in str(caught.value)


def test_a_parquet_file_without_rows(tmp_path):
    pq.write_table(
        pa.table({"content": pa.array([], pa.string()), "style": pa.array([], pa.string())}), tmp_path / "m.pq"
    )
    with pytest.raises(ManifestError, match="has no rows"):
        read_manifest(str(tmp_path / "m.pq"), Defaults())


@pytest.mark.parametrize("name", [".", "none.csv"])
def test_a_manifest_that_is_not_there(tmp_path, name):
    with pytest.raises(NotFoundInStoreError, match=r"is a folder|does not exist"):
        read_manifest(str(tmp_path / name), Defaults())


def test_missing_columns_list_those_that_are_there(tmp_path):
    message = error_of(tmp_path, [{"contents": "a", "artwork": "b"}])
    assert "has no column content and no column style" in message
    assert "the columns there are 'contents', 'artwork'; column 'contents': did you mean 'content'?" in message


def test_unknown_columns_are_kept_out_and_reported(tmp_path):
    manifest = read_rows(tmp_path, [{**PLAIN, "caption": "x", "Gate": 9, "strenght": 1}])
    assert manifest.notes == (
        "ignored columns: 'caption', 'Gate', 'strenght'",
        "column 'Gate': did you mean 'gate'?",
        "column 'strenght': did you mean 'strength'?",
    )
    assert manifest.pairs[0].settings == Settings.from_options().to_json()


def test_known_columns_are_not_worth_a_note(tmp_path):
    assert read_rows(tmp_path, [{**PLAIN, "lambda": 1}]).notes == ()


def test_a_large_unknown_column_is_not_even_read(tmp_path):
    """Nor is one that Arrow cannot turn into text: the bytes of pictures beside their names."""
    table = pa.table({"content": ["a"], "style": ["b"], "thumbnail": [b"\xff\xd8" * 1000]})
    pq.write_table(table, tmp_path / "m.parquet")
    assert read_manifest(str(tmp_path / "m.parquet"), Defaults()).notes == ("ignored columns: 'thumbnail'",)
