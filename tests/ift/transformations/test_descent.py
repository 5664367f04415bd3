"""Where updates are carried out must not matter: operators one by one on the CPU, in float64, are the reference."""

from dataclasses import replace

import pytest
import torch

from ift.moments import Moments
from ift.settings import Settings
from ift.transformations.descent import descent
from ift.transformations.iterative import ift_map
from ift.transformations.objective import objective
from ift.transformations.updates import Problem
from tests.devices import DEVICES, ON_A_GPU


def moments(seed, channels, batch):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.rand(channels, channels, generator=generator) / channels
    features = torch.einsum("dc,bchw->bdhw", mixing, torch.randn(batch, channels, 24, 24, generator=generator).relu())
    return Moments.of(features)


def moved(held, device, dtype=torch.float32):
    return Moments(held.count.to(device), held.mean.to(device, dtype), held.covariance.to(device, dtype))


@pytest.mark.parametrize("device", DEVICES)
def test_each_update_lowers_the_objective_by_what_its_quartic_says(device):
    content, style = (moments(seed, 256, 2).second_moment.double() for seed in (1, 2))
    mu = torch.full((2, 1, 1), 3.0, dtype=torch.float64)
    problem = Problem.of(*(each.to(device) for each in (content, style, mu)), conjugate=True)
    with descent(problem) as updates:
        first = updates.start()
        quartics, values = [numbers[:4] for numbers in first], [numbers[4] for numbers in first]
        for steps in ((0.02, 0.01), (0.01, 0.03), (0.03, 0.02)):
            for place, (eta, quartic) in enumerate(zip(steps, quartics, strict=True)):
                values[place] += sum(c * eta**power for power, c in enumerate(quartic, 1))
            reached = objective(updates.matrix(steps).cpu(), content, style, mu)
            assert values == pytest.approx(reached.tolist(), rel=1e-10)
            quartics = updates.advance(steps)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("solver", ["conjugate_gradient", "line_search"])
@pytest.mark.parametrize(("level", "channels", "batch"), [(1, 64, 1), (2, 128, 3), (4, 512, 1)])
def test_the_map_does_not_depend_on_where_nor_on_what_was_solved_before(device, solver, level, channels, batch):
    settings = replace(Settings.from_options("artistic"), solver=solver, tolerance=0.0)
    cases = [(moments(seed, channels, batch), moments(seed + 10, channels, batch)) for seed in (1, 2)]
    results = [
        ift_map(moved(content, device), moved(style, device), level, settings).matrix
        for content, style in [*cases, cases[0]]
    ]
    assert torch.equal(results[0], results[2])  # the one between has left nothing behind
    for (content, style), result in zip(cases, results, strict=False):
        exact = ift_map(moved(content, "cpu", torch.float64), moved(style, "cpu", torch.float64), level, settings)
        assert float((result.cpu() - exact.matrix).norm() / exact.matrix.norm()) < 1e-3


@ON_A_GPU
def test_graphs_serve_inside_and_outside_of_inference_mode():
    content, style = moved(moments(1, 64, 1), "cuda"), moved(moments(2, 64, 1), "cuda")
    outside = ift_map(content, style, 1, Settings()).matrix
    with torch.inference_mode():
        inside = ift_map(content, style, 1, Settings()).matrix
    assert torch.equal(inside, outside)
