"""Flicker where the truth is known: analytic pictures, still cameras, brightness that alternates."""

from pathlib import Path

import pytest
import torch

from ift import Settings, Stylizer
from ift.box import Box
from jobs.errors import JobError
from jobs.experiments.flicker import MOTIONS, Flicker, Sharing, Way, scenes, ways
from jobs.experiments.flicker_camera import Motion, View, bicubic, lanczos, sampled, shared_box
from jobs.experiments.flicker_findings import findings
from jobs.experiments.flicker_frames import stylized
from jobs.experiments.flicker_measures import MEASURES, flicker_of, global_change, warped_difference

SIZE = (48, 64)


def waves(view, size=SIZE):
    """What a view sees of a scene that is known by its formula, (3, h, w) float64."""
    y = view.top + view.scale * (torch.arange(size[0], dtype=torch.float64) + 0.5)[:, None]
    x = view.left + view.scale * (torch.arange(size[1], dtype=torch.float64) + 0.5)
    return torch.stack([0.5 + 0.2 * torch.sin(x / 6 + k) * torch.cos(y / 8 - k) for k in range(3)])


def noise(size=SIZE, seed=0):
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kernel", [lanczos, bicubic])
@pytest.mark.parametrize("view", [View(21.3, 15.8, 1.0), View(20, 15, 0.99), View(12.2, 11.7, 1.9)])
def test_sampling_gives_what_the_formula_has_there(view, kernel):
    still = waves(View(0, 0, 1.0), (120, 160))
    assert (sampled(still, view, SIZE, kernel) - waves(view)).abs().max() < 4e-3


def test_a_coarser_view_does_not_alias():
    """Stripes finer than its pixels become grey; without the stretched kernel they would be broad stripes."""
    x = torch.arange(400, dtype=torch.float64) + 0.5
    still = (0.5 + 0.5 * torch.cos(2 * torch.pi * x / 2.3)).expand(3, 300, 400)
    seen = sampled(still, View(30, 30, 2.0), SIZE)
    assert (seen - 0.5).abs().max() < 0.02
    assert (still[:, ::2, ::2] - 0.5).abs().max() > 0.4


def test_a_view_within_itself_changes_nothing():
    picture = noise().double()
    assert torch.allclose(sampled(picture, View(0, 0, 1.0), SIZE, bicubic), picture, atol=1e-12)


@pytest.mark.parametrize("later", [View(42.3, 51.1, 1.0), View(40, 50, 0.99), View(39.7, 48.4, 1.02)])
def test_a_warp_takes_an_analytic_picture_to_its_true_place(later):
    earlier = View(40, 50, 1.0)
    motion = later.seen_from(earlier)
    difference = warped_difference(waves(earlier), waves(later), motion, 4)
    assert difference.abs().max() < 1e-3
    unmoved = warped_difference(waves(earlier), waves(later), View(0, 0, 1.0), 4)
    assert unmoved.abs().max() > 10 * difference.abs().max()


def test_motions_follow_one_another():
    first, second, third = View(3, 4, 1.5), View(5.5, 2, 1.4), View(1, 9, 1.7)
    there = third.seen_from(second)
    back = View(0, 0, 1.0).seen_from(first)
    via = View(0, 0, 1.0).seen_from(back)
    assert (via.top, via.left, via.scale) == pytest.approx((first.top, first.left, first.scale))
    assert second.top + second.scale * there.top == pytest.approx(third.top)


def test_what_both_frames_see_by_hand():
    assert shared_box(View(0, 10.5, 1.0), SIZE, 4) == Box(4, 4, 40, 45)  # 10.5 + 49 = 59.5, and 60 is the margin
    assert shared_box(View(-2, 0, 1.0), SIZE, 4) == Box(6, 4, 38, 56)
    with pytest.raises(JobError, match="nothing in common"):
        shared_box(View(0, 60, 1.0), SIZE, 4)


@pytest.mark.parametrize("frames", [2, 8, 11])
@pytest.mark.parametrize("motion", MOTIONS)
def test_views_stay_within_the_still_and_move_as_told(motion, frames):
    still = (600, 900)
    views = motion.views(still, SIZE, frames)
    for view in views:
        assert view.top >= -1e-9 and view.top + view.scale * SIZE[0] <= still[0] + 1e-9
        assert view.left >= -1e-9 and view.left + view.scale * SIZE[1] <= still[1] + 1e-9
    step = views[1].seen_from(views[0])
    assert step.scale == pytest.approx(motion.zoom)
    if motion.zoom == 1:
        assert (step.left, step.top) == pytest.approx((motion.right, motion.down))


def test_stills_that_are_too_small_are_a_mistake():
    with pytest.raises(JobError, match="too small"):
        Motion("pan", right=3).views((50, 70), SIZE, 8)


def test_a_constant_sequence_has_no_flicker():
    found = flicker_of([noise()] * 5, [View(3, 4, 1.7)] * 5, 4, 4)
    assert set(found) == set(MEASURES)
    still = set(MEASURES) - {"contrast", "detail"}
    assert all(found[name] == pytest.approx(0, abs=1e-7) for name in still)
    assert found["detail"] == pytest.approx(1 / 3, rel=0.05)  # E|u − v| of two uniform numbers


def test_alternating_brightness_is_global_flicker_and_nothing_over_an_even_step():
    views = [View(40 + 0.7 * t, 50 + 2.3 * t, 0.99**t) for t in range(6)]
    frames = [waves(view) + 0.06 * (t % 2) for t, view in enumerate(views)]
    found = flicker_of(frames, views, 4, 4)
    assert found["colour"] == pytest.approx(0.06, abs=1e-3)
    for name in ("error", "rms", "coarse"):
        assert found[name] == pytest.approx(0.06, abs=1e-3)
    assert found["long"] < 1e-3 and found["contrast_change"] < 1e-3
    assert found["relative"] == pytest.approx(found["error"] / found["contrast"])


def test_alternating_contrast_is_found_though_the_mean_stays():
    views = [View(40, 50 + 2.3 * t, 1.0) for t in range(2)]
    first, second = waves(views[0]), 0.5 + 1.5 * (waves(views[1]) - 0.5)
    colour, contrast = global_change(first, second, views[1].seen_from(views[0]), 4)
    _, unchanged = global_change(first, waves(views[1]), views[1].seen_from(views[0]), 4)
    assert contrast > 0.3 * float(first.mean(0).std()) and colour < 0.03
    assert unchanged < 0.02 * contrast


def test_noise_is_an_error_of_pixels_and_little_of_cells():
    frames = [noise(seed=seed) for seed in range(5)]
    found = flicker_of(frames, [View(0, 0, 1.0)] * 5, 4, 4)
    assert found["error"] == pytest.approx(1 / 3, rel=0.03)
    assert found["rms"] == pytest.approx(1 / 6**0.5, rel=0.03)
    assert found["coarse"] < found["error"] / 4


@pytest.fixture(scope="module")
def model():
    return Stylizer.from_pretrained(device="cpu", dtype=torch.float32)


def test_frames_of_a_group_have_one_map_and_each_by_itself_its_own(model):
    """A frame that occurs twice, with another between them, against the same frame in other company."""
    seen, other = waves(View(40, 50, 1.0)).float(), noise()
    style, settings = model.style(noise(seed=1).square()), Settings.from_options("photo", method="adain")
    group, each = (stylized(model, [seen, 0.5 * other, seen], style, settings, Sharing(reach)) for reach in (None, 0))
    assert torch.equal(group[0], group[2]) and torch.equal(each[0], each[2])
    alone = model.stylize(seen, style, settings=settings)
    assert torch.allclose(each[0], alone, atol=1e-5)
    assert (group[0] - alone).abs().max() > 0.02


def test_a_window_counts_the_neighbours_within_its_reach(model):
    """At a single level, for at a second one the neighbours would come by maps of their own windows."""
    frames, style = [0.5 * noise(seed=seed) for seed in range(3)], model.style(noise(seed=9).square())
    settings = Settings.from_options("photo", method="adain", alpha="0,0,0,1")
    group, window = (stylized(model, frames, style, settings, Sharing(reach)) for reach in (None, 1))
    pair = stylized(model, frames[:2], style, settings, Sharing(None))
    assert torch.allclose(window[1], group[1], atol=1e-5) and torch.allclose(window[0], pair[0], atol=1e-5)
    assert not torch.allclose(window[0], group[0], atol=1e-4)


def test_dimmed_frames_stay_dimmed_in_a_group_only(model):
    """What frames by themselves get wrong: a scene of changing light comes out at one brightness."""
    seen = waves(View(40, 50, 1.0)).float()
    style, settings = model.style(noise(seed=1)), Settings.from_options("photo", method="adain")
    group, each = (stylized(model, [0.6 * seen, seen], style, settings, Sharing(reach)) for reach in (None, 0))
    steps = [float((frames[1].mean() - frames[0].mean()).abs()) for frames in (group, each)]
    assert steps[0] > 3 * steps[1]


def test_the_decoder_alone_asks_nothing_of_the_style(model):
    settings = Way("photo").settings
    assert all(settings.leaves(level) for level in (1, 2, 3, 4)) and settings.gate == 1
    first, second = (
        stylized(model, [noise()], model.style(noise(seed=seed)), settings, Sharing(None))[0] for seed in (1, 2)
    )
    assert torch.equal(first, second)


def test_ways_are_all_of_them_and_their_references():
    found = list(ways(Flicker()))
    assert len(found) == len(set(found)) == 1 + 2 * (1 + 4 * 4)
    assert found[0].settings is None and found[2].decoder == found[1]


def test_the_least_even_still_gets_the_wide_pan():
    contents, styles = ([Path(f"/{kind}{number}.jpg") for number in range(7)] for kind in "cs")
    made = scenes(Flicker(), contents, styles, lambda path: float(path.stem == "c3"))
    assert [scene.motion for scene in made] == list(MOTIONS)
    names = [scene.pair.content.stem for scene in made]
    assert len(set(names)) == len(MOTIONS) and ("c3" not in names or names[-1] == "c3")


def test_findings_are_geometric_means_of_ratios_on_the_same_sequence():
    definition = Flicker(methods=("wct",), presets=("photo",), motions=MOTIONS[:2])
    pictures = [Path(f"/{number}.jpg") for number in range(2)]
    both = scenes(definition, pictures, pictures, lambda path: 0.0)
    factors = {"": (1, 1), "group": (2, 8), "phases": (1, 1), "window": (4, 8), "each": (8, 8)}
    measured = {
        (scene, way): dict.fromkeys(MEASURES, base * factors[way.sharing][number])
        for number, (scene, base) in enumerate(zip(both, (0.01, 0.03), strict=True))
        for way in ways(definition)
    }
    found = findings(definition, both, measured)
    group = found[Way("photo", "wct", "group"), "error"]
    assert group.over_decoder.mean == pytest.approx(4) and (group.least, group.most) == pytest.approx((2, 8))
    assert group.over_each.mean == pytest.approx(0.5)
    assert group.row()["over_decoder_least"] == pytest.approx(2)
    assert found[Way("photo"), "error"].over_decoder.mean == pytest.approx(1)
