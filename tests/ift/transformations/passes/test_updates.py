"""The updates by programs must be those of `ift.transformations.updates`, operator by operator in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ift.native.processor import this_blocking
from ift.transformations import passes, updates
from ift.transformations.iterative import _line_search
from ift.transformations.line_search import best_step
from ift.transformations.objective import objective
from tests.blockings import BLOCKINGS, with_threads

pytestmark = pytest.mark.skipif(this_blocking() is None, reason="not a processor that it is written for")


def moments(channels, batch, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(batch, channels, 3 * channels, generator=generator)
    mixed = torch.rand(batch, channels, channels, generator=generator) @ features / channels
    return mixed @ mixed.mT / features.shape[-1]


def exact(content, style, mu, steps, conjugate):
    """Four or five numbers of each update, and A at the end."""
    problem = updates.Problem.of(content.double(), style.double(), mu.double(), conjugate=conjugate)
    iterate, numbers = updates.start(problem)
    found = [numbers.tolist()]
    for each in steps:
        eta = torch.tensor(each, dtype=torch.float64).reshape(-1, 1, 1)
        iterate, numbers = updates.advance(problem, iterate, eta)
        found.append(numbers.tolist())
    return found, iterate.matrix(torch.zeros_like(problem.mu))


@pytest.mark.parametrize("blocking", BLOCKINGS, ids=lambda each: f"{each.lanes} lanes")
@given(
    channels=st.sampled_from([32, 64, 256]),
    batch=st.integers(1, 2),
    threads=st.integers(1, 3),
    strength=st.sampled_from([0.1, 1.0, 5.0]),
    conjugate=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
def test_quartics_and_matrices_are_those_of_the_operators(
    blocking, channels, batch, threads, strength, conjugate, seed
):
    content, style = moments(channels, batch, seed), moments(channels, batch, seed + 100)
    mu = (strength / content.diagonal(dim1=-1, dim2=-2).sum(-1)).reshape(-1, 1, 1)
    with torch.inference_mode(), with_threads(threads):
        ours = passes.Updates(updates.Problem.of(content, style, mu, conjugate=conjugate), blocking)
        found, steps = [ours.start()], []
        for _ in range(4):
            steps.append([best_step(*each[:4])[0] for each in found[-1]])
            found.append(ours.advance(steps[-1]))
        matrix = ours.matrix([0.0] * batch)
    expected, reached = exact(content, style, mu, steps, conjugate)
    for mine, right in zip(found, expected, strict=True):
        for one, other in zip(mine, right, strict=True):
            assert one == pytest.approx(other, rel=2e-3, abs=1e-5 * abs(expected[0][0][4]))
    assert float((matrix - reached).norm() / reached.norm()) < 1e-4


def test_a_picture_of_a_batch_does_not_depend_on_its_neighbours():
    content, style = moments(256, 3, 1), moments(256, 3, 2)
    mu = torch.full((3, 1, 1), 0.5)
    with torch.inference_mode():
        together = passes.Updates(updates.Problem.of(content, style, mu, conjugate=True))
        alone = passes.Updates(updates.Problem.of(content[1:2], style[1:2], mu[1:2], conjugate=True))
        assert together.start()[1] == pytest.approx(alone.start()[0], rel=1e-12)
        together.advance([0.1, 0.2, 0.3]), alone.advance([0.2])
        torch.testing.assert_close(together.matrix([0, 0, 0])[1:2], alone.matrix([0]), rtol=0, atol=0)


@pytest.mark.parametrize(("content", "style"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0)])
def test_black_pictures_and_nowhere_to_go(content, style):
    """All numbers stay numbers, and what needs no change gets none."""
    eye = torch.eye(256)[None]
    with torch.inference_mode():
        ours = passes.Updates(updates.Problem.of(content * eye, style * eye, torch.ones(1, 1, 1), conjugate=True))
        for numbers in (ours.start()[0], ours.advance([0.1])[0]):
            assert torch.tensor(numbers).isfinite().all()
        if content == style:
            torch.testing.assert_close(ours.matrix([0.1]), eye)


@pytest.mark.parametrize("mu", [1e-3, 1e3, 1e9])
@pytest.mark.parametrize("faint", [0.0, 1e-30, 1e-12, 1.0])
@pytest.mark.parametrize("where", ["everywhere", "half of the channels", "style"])
@pytest.mark.parametrize("channels", [64, 256])
def test_faint_pictures_end_no_higher_than_by_plain_float64(channels, mu, faint, where):
    """M may see next to nothing of what a huge gradient says; without a preconditioner there is less to be rounded."""
    content, style = moments(channels, 1, 1), moments(channels, 1, 2)
    if where == "style":
        style *= faint
    else:
        dark = slice(channels // 2) if where != "everywhere" else slice(channels)
        content[:, dark] *= faint**0.5
        content[:, :, dark] *= faint**0.5
    mu = torch.full((1, 1, 1), mu)
    problem = updates.Problem.of(content, style, mu, conjugate=True)
    wide = updates.Problem(content.double(), style.double(), mu.double(), conjugate=True)
    with torch.inference_mode():
        ours = _line_search(problem, 15, 1e-3)
    assert ours.isfinite().all()
    reached, expected, before = (
        float(objective(a, *wide[:3]))
        for a in (ours.double(), _line_search(wide, 15, 1e-3), torch.eye(channels).double()[None])
    )
    assert reached <= 1.02 * expected + 1e-4 * before


def test_what_is_not_a_number_is_not_hidden():
    content = moments(256, 1, 1)
    content[0, 3, 4] = torch.nan
    with torch.inference_mode():
        numbers = passes.Updates(
            updates.Problem.of(content, moments(256, 1, 2), torch.ones(1, 1, 1), conjugate=True)
        ).start()
    assert not torch.tensor(numbers).isfinite().all()


def test_what_it_is_for():
    with torch.inference_mode():
        assert passes.suits(torch.empty(1, 64, 64))
        assert not passes.suits(torch.empty(1, 64, 64, dtype=torch.float64))
        assert not passes.suits(torch.empty(1, 40, 40))
    assert not passes.suits(torch.empty(1, 64, 64))
