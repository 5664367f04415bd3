"""Tours with and without room, broken off and damaged; groups, windows and samples."""

import random
from dataclasses import dataclass, field
from itertools import combinations

import pytest
import torch
from torch import Tensor

from ift import Settings
from ift.errors import SettingsError
from ift.moments import Moments
from ift.padding import pad_to_multiple
from ift.parts import InMemory, Picture
from ift.parts.in_parts import stylize_in_parts
from ift.parts.scratch import Scratch
from ift.tiling import parts_of
from ift.transformations import transformation

HEIGHT, WIDTH, TILE = 40, 60, 24
SETTINGS = Settings.from_options("photo", n_upd=(1, 0, 0, 1), keep_colours=True)
DEEPEST_ONLY = Settings.from_options("artistic", n_upd=(0, 0, 0, 3), gate=0)
"""One station, so that a frame's result depends on those that share its map, and on nothing of theirs."""


class BrokenOffError(Exception):
    pass


@dataclass
class Watched(InMemory):
    """Keeps what is written, and breaks off at a given read or write."""

    read_limit: int | None = None
    write_limit: int | None = None
    error: type[BaseException] = BrokenOffError
    reads: int = 0
    boxes: list = field(default_factory=list)
    result: Tensor = field(init=False)
    on_write: object = None

    def __post_init__(self) -> None:
        self.result = torch.full_like(self.tensor, torch.nan)

    def read(self, box):
        if self.reads == self.read_limit:
            raise self.error
        self.reads += 1
        return super().read(box)

    def write(self, box, pixels):
        if len(self.boxes) == self.write_limit:
            raise self.error
        self.boxes.append(box)
        rows, columns = box.slices
        self.result[:, rows, columns] = pixels
        if self.on_write:
            self.on_write()


def tour(model, pictures, style, folder, settings=SETTINGS, *, room=None, **how):
    group = [Picture(each, each.write) for each in pictures]
    how = {"tile": TILE, **how}
    return stylize_in_parts(model, group, style, settings, Scratch(folder, room), **how)


@pytest.fixture(scope="module")
def content(photo):
    return photo("skimage", "astronaut.png", HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def style(model, photo):
    return model.style(photo("sklearn", "flower.jpg", 48, 48))


@pytest.fixture(scope="module")
def unbroken(model, content, style, tmp_path_factory):
    picture = Watched(content)
    tour(model, [picture], style, tmp_path_factory.mktemp("unbroken"))
    assert len(picture.boxes) == 6
    return picture


@pytest.mark.parametrize("room", [0, 200_000, 800_000])
def test_states_for_which_there_is_no_room_are_made_again(model, content, style, unbroken, tmp_path, room):
    picture = Watched(content)
    tour(model, [picture], style, tmp_path, room=room)
    assert torch.equal(picture.result, unbroken.result)
    assert len(picture.boxes) == 6


def test_of_a_finished_tour_no_state_is_left(model, content, style, tmp_path):
    tour(model, [Watched(content)], style, tmp_path)
    assert not list(tmp_path.glob("state-*"))
    assert len(list(tmp_path.glob("done-*"))) == 6


BREAKS = {
    "first read": (0, None),
    "while measuring": (3, None),
    "between stations": (9, None),
    "first write": (None, 0),
    "last write": (None, 5),
}


@pytest.mark.parametrize(
    ("place", "error"), [*((place, BrokenOffError) for place in BREAKS), ("while measuring", KeyboardInterrupt)]
)
def test_a_tour_that_was_broken_off_goes_on(model, content, style, unbroken, tmp_path, place, error):
    reads, writes = BREAKS[place]
    first, second = Watched(content, read_limit=reads, write_limit=writes, error=error), Watched(content)
    with pytest.raises(error):
        tour(model, [first], style, tmp_path)
    tour(model, [second], style, tmp_path)
    assert torch.equal(torch.where(second.result.isnan(), first.result, second.result), unbroken.result)
    assert first.boxes + second.boxes == unbroken.boxes  # each once
    assert first.reads + second.reads <= unbroken.reads + 1


def test_a_finished_tour_has_nothing_left_to_do(model, content, style, tmp_path):
    tour(model, [Watched(content)], style, tmp_path)
    again = Watched(content, read_limit=0)
    tour(model, [again], style, tmp_path)
    assert again.boxes == []


@pytest.mark.parametrize(
    "other",
    [
        {"settings": Settings.from_options("photo", n_upd=(1, 0, 0, 2))},
        {"tile": 32},
        {"identity": "another file"},
        {"sample": 5},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_is_there_of_another_tour_is_not_mixed_in(model, content, style, tmp_path, other):
    (tmp_path / "fresh").mkdir()
    fresh, first, second = Watched(content), Watched(content.flip(0), write_limit=3), Watched(content)
    tour(model, [fresh], style, tmp_path / "fresh", **other)
    with pytest.raises(BrokenOffError):
        tour(model, [first], style, tmp_path / "used")
    tour(model, [second], style, tmp_path / "used", **other)
    assert torch.equal(second.result, fresh.result)
    assert second.boxes == fresh.boxes


def damaged(folder, kind, how):
    paths = sorted(folder.glob(f"{kind}-*"))
    assert paths
    for path in paths:
        data = path.read_bytes()
        path.write_bytes({"empty": b"", "half": data[: len(data) // 2], "garbage": b"\x10garbage" * 20}[how])


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("*", "half"),
        *((kind, "garbage") for kind in ("state", "tally")),
        *(
            pytest.param(kind, how, marks=pytest.mark.slow)
            for kind in ("state", "tally", "map", "done", "*")
            for how in ("empty", "half", "garbage")
        ),
    ],
)
def test_damaged_files_are_work_lost_and_no_more(model, content, style, unbroken, tmp_path, kind, how):
    first, second = Watched(content, write_limit=2), Watched(content)
    with pytest.raises(BrokenOffError):
        tour(model, [first], style, tmp_path)
    damaged(tmp_path, kind, how)
    tour(model, [second], style, tmp_path)
    assert torch.equal(torch.where(second.result.isnan(), first.result, second.result), unbroken.result)


def frames(content, count, height=24, width=32):
    """Pieces of the picture, which differ."""
    draw = random.Random(1)
    corners = [(draw.randrange(HEIGHT - height), draw.randrange(WIDTH - width)) for _ in range(count)]
    return [content[:, top : top + height, left : left + width].clone() for top, left in corners]


def results(model, pictures, style, folder, settings=DEEPEST_ONLY, **how):
    group = [Watched(picture) for picture in pictures]
    tour(model, group, style, folder, settings, **{"tile": None, **how})
    return [each.result for each in group]


def by_hand(model, pictures, style, shared):
    """What the deepest level alone makes of pictures, with the float64 statistics of all the features of `shared`."""

    def encoded(picture):
        x = pad_to_multiple(picture.unsqueeze(0))
        for level in (1, 2, 3, 4):
            x, _ = model.encoder.stage(level, x)
        return x

    def decoded(x, like):
        for level in (4, 3, 2, 1):
            x = model.decoder.block(level, x, None, 0.0)
        return x[0, :, : like.shape[1], : like.shape[2]].clamp(0, 1)

    with torch.inference_mode():
        everything = torch.cat([encoded(each).flatten(2) for each in shared], -1)[0].double()
        count, mean = torch.tensor([everything.shape[1]]).double(), everything.mean(1)
        moments = Moments(count, mean[None].float(), torch.cov(everything, correction=0)[None].float())
        target = [picture.moments[3] for picture in style.pictures]
        map_ = transformation(moments, target, torch.ones(1, 1), 4, DEEPEST_ONLY)
        return [decoded(map_(encoded(each), relu=True), each) for each in pictures]


def assert_close(ones, others):
    for one, other in zip(ones, others, strict=True):
        assert float((one - other).abs().max()) < 1e-3


@pytest.mark.parametrize("sizes", [[(24, 32)] * 3, [(24, 32), (33, 17), (34, 20)]], ids=["equal", "different"])
def test_frames_share_the_statistics_of_all_their_features(model, content, style, tmp_path, sizes):
    pictures = [content[:, 3 * i : 3 * i + h, 20 * i : 20 * i + w] for i, (h, w) in enumerate(sizes)]
    group = results(model, pictures, style, tmp_path)
    assert_close(group, by_hand(model, pictures, style, pictures))
    alone = [by_hand(model, [picture], style, [picture])[0] for picture in pictures]
    assert all(float((one - other).abs().max()) > 0.02 for one, other in zip(group, alone, strict=True))


@pytest.mark.parametrize("options", [{}, {"preset": "photo"}, {"method": "wct", "keep_colours": True}])
def test_a_reach_of_0_is_each_by_itself(model, content, style, tmp_path, options):
    settings = Settings.from_options(**{"n_upd": 3, **options})
    pictures = [*frames(content, 2), content[:, :34, :40]]
    each = [model.stylize(picture, style, settings=settings) for picture in pictures]
    assert_close(results(model, pictures, style, tmp_path, settings, reach=0), each)


@pytest.mark.parametrize("reach", [2, 100])
def test_a_reach_over_all_frames_is_one_pool(model, content, style, tmp_path, reach):
    pictures = frames(content, 3)
    one = results(model, pictures, style, tmp_path / "one")
    assert_close(results(model, pictures, style, tmp_path / "all", reach=reach), one)


def test_a_group_of_one_is_the_picture(model, content, style, tmp_path):
    (alone,) = results(model, [content], style, tmp_path, SETTINGS)
    assert_close([alone], [model.stylize(content, style, settings=SETTINGS)])


@pytest.mark.parametrize("reach", [1, 2])
def test_a_window_is_the_neighbours_and_no_others(model, content, style, tmp_path, reach):
    pictures = frames(content, 6)
    windows = [pictures[max(0, index - reach) : index + reach + 1] for index in range(6)]
    expected = [by_hand(model, [each], style, window)[0] for each, window in zip(pictures, windows, strict=True)]
    before = results(model, pictures, style, tmp_path / "before", reach=reach)
    assert_close(before, expected)
    pictures[4] = pictures[4].flip(0) * 0.3
    after = results(model, pictures, style, tmp_path / "after", reach=reach)
    same = [torch.equal(one, other) for one, other in zip(before, after, strict=True)]
    assert same == [abs(index - 4) > reach for index in range(6)]


@pytest.mark.parametrize("reach", [None, 0, 1])
def test_a_group_of_tiled_pictures_is_the_group_of_whole_ones(model, content, style, tmp_path, reach):
    pictures = [content[:, :40, :32], content[:, 6:, 20:52], content[:, :33, :51]]
    settings = Settings.from_options("photo", n_upd=(1, 0, 0, 1))
    whole = results(model, pictures, style, tmp_path / "whole", settings, reach=reach)
    tiled = results(model, pictures, style, tmp_path / "tiled", settings, reach=reach, tile=24)
    assert_close(tiled, whole)


@pytest.mark.parametrize("reach", [0, pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_window_keeps_no_more_frames_than_it_must(model, content, style, tmp_path, reach):
    stations, count = 4, 14
    settings = Settings.from_options("artistic", n_upd=1)
    group = [Watched(picture) for picture in frames(content, count, 16, 16)]
    kept = []

    def look():
        names = [path.stem.split("-") for path in tmp_path.glob("*-*.safetensors")]
        kept.append({kind: {int(name[1]) for name in names if name[0] == kind} for kind in ("state", "map", "tally")})

    for each in group:
        each.on_write = look
    tour(model, group, style, tmp_path, settings, tile=None, reach=reach)
    assert len(kept) == count
    for index, found in enumerate(kept):
        # The last station needs `reach` frames beyond, these as many beyond them at the one before, and so on.
        needed = set(range(max(0, index), min(count, index + stations * reach + 1)))
        assert found["state"] <= needed
        assert found["map"] <= needed
        assert found["tally"] <= set(range(max(0, index - reach), count)) & {*needed, *range(index)}


@pytest.mark.parametrize(
    ("place", "damage"),
    [
        (3, None),
        (3, "*"),
        *(pytest.param(place, damage, marks=pytest.mark.slow) for place in (0, 4) for damage in ("state", "map", "*")),
    ],
)
def test_a_window_that_was_broken_off_goes_on(model, content, style, tmp_path, place, damage):
    settings = Settings.from_options("artistic", n_upd=1)
    pictures = frames(content, 6, 16, 16)
    expected = results(model, pictures, style, tmp_path / "unbroken", settings, reach=1)
    first, second = ([Watched(picture) for picture in pictures] for _ in range(2))
    first[place].write_limit = 0
    with pytest.raises(BrokenOffError):
        tour(model, first, style, tmp_path / "broken", settings, tile=None, reach=1)
    if damage:
        damaged(tmp_path / "broken", damage, "half")
    tour(model, second, style, tmp_path / "broken", settings, tile=None, reach=1)
    for index, whole in enumerate(expected):
        one, other = first[index].result, second[index].result
        assert torch.equal(one if other.isnan().any() else other, whole)
        if damage != "*":
            assert len(first[index].boxes) + len(second[index].boxes) == 1


@pytest.mark.parametrize("sample", [6, 1000])
def test_a_sample_of_all_parts_is_exact(model, content, style, unbroken, tmp_path, sample):
    picture = Watched(content)
    assert tour(model, [picture], style, tmp_path, sample=sample) == {}
    assert torch.equal(picture.result, unbroken.result)


def test_a_sample_tells_how_far_its_statistics_are_off(model, content, style, tmp_path):
    picture = Watched(content)
    errors = tour(model, [picture], style, tmp_path, sample=2)
    assert list(errors) == ["relu4_1", "relu1_1"]
    assert all(0 < error < 1 for error in errors.values())
    assert not picture.result.isnan().any() and len(picture.boxes) == 6
    with torch.inference_mode():
        x = pad_to_multiple(content.unsqueeze(0))
        for level in (1, 2, 3, 4):
            x, _ = model.encoder.stage(level, x)
    boxes = [part.core for part in parts_of(HEIGHT, WIDTH, TILE, 0)]
    cells = [x[0, :, box.top // 8 : box.bottom // 8, box.left // 8 : box.right // 8].flatten(1) for box in boxes]

    def second_moment(cells):
        stacked = torch.cat(cells, 1).double()
        return stacked @ stacked.T / stacked.shape[1]

    whole = second_moment(cells)
    possible = [float((second_moment(two) - whole).norm() / whole.norm()) for two in combinations(cells, 2)]
    assert min(abs(errors["relu4_1"] - each) for each in possible) < 1e-5


def test_the_draw_is_always_the_same(model, content, style, tmp_path):
    first, second = Watched(content), Watched(content)
    errors = [tour(model, [each], style, tmp_path / str(index), sample=3) for index, each in enumerate((first, second))]
    assert errors[0] == errors[1]
    assert torch.equal(first.result, second.result)


def test_a_sample_of_a_group(model, content, style, tmp_path):
    group = [Watched(picture) for picture in frames(content, 5)]
    errors = tour(model, group, style, tmp_path, DEEPEST_ONLY, tile=None, sample=2)
    assert list(errors) == ["relu4_1"] and 0 < errors["relu4_1"] < 1
    possible = [by_hand(model, [group[0].tensor], style, [a.tensor, b.tensor])[0] for a, b in combinations(group, 2)]
    assert min(float((group[0].result - each).abs().max()) for each in possible) < 1e-3


@pytest.mark.parametrize(
    "method", ["ift", "adain", *(pytest.param(slow, marks=pytest.mark.slow) for slow in ("wct", "ost"))]
)
def test_a_sample_without_a_pixel_of_a_region_leaves_no_hole(model, in_parts, content, photo, method):
    painting = photo("sklearn", "flower.jpg", 48, 48)
    labels = torch.zeros(HEIGHT, WIDTH, dtype=torch.int64)
    labels[:16, :16] = 1
    labels[-16:, -16:] = 2
    style = model.style([painting, painting.flip(0) * 0.5, painting.flip(1)], labels=[0, 1, 2])
    errors = {}
    settings = Settings.from_options("photo", method=method, n_upd=1)
    (result,) = in_parts([content], style, settings, masks=[labels], tile=TILE, sample=1, errors=errors)
    assert result.isfinite().all()
    assert all(error > 0 for error in errors.values())


@pytest.mark.parametrize("how", [{"sample": 0}, {"sample": -1}, {"sample": 2, "reach": 1}])
def test_samples_that_are_none_are_refused(model, content, style, tmp_path, how):
    with pytest.raises(SettingsError, match="a sample needs 1 part or more, and goes with one map"):
        tour(model, [Watched(content)], style, tmp_path, **how)


def test_progress_adds_up_to_the_picture(model, content, style, tmp_path):
    for how in ({}, {"sample": 2}):
        done = []
        tour(model, [Watched(content)], style, tmp_path, progress=done.append, **how)
        assert sum(done) == pytest.approx(HEIGHT * WIDTH / 1e6)
        assert all(step >= 0 for step in done)
