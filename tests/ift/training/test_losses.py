import pytest
import torch

from ift.training.autoencoder import Encoding, Reconstruction
from ift.training.losses import LossWeights, autoencoder_loss, loss_terms, second_moments

NONE = LossWeights()


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def example(level=3, batch=2):
    """Pictures, their encoding, a reconstruction and its encoding, all of them unlike."""
    sizes = [(batch, 2 + n, 16 >> n, 8 >> n) for n in range(level)]
    images = random(batch, 3, 16, 8)
    encoding = Encoding(tuple(random(*size) for size in sizes), (None,) * level)
    ours = Reconstruction(
        images + 0.1 * random(batch, 3, 16, 8).flip(0), tuple(random(*size) + 1 for size in sizes[:-1])
    )
    reencoded = Encoding(tuple(random(*size).flip(2) + 0.5 for size in sizes), (None,) * level)
    return images, encoding, ours, reencoded


def term(name, gate=0.0, **weights):
    return loss_terms(LossWeights(**weights), *example(), gate)[name].item()


def test_equation_28_is_the_sum_of_two_squared_norms():
    images, encoding, ours, reencoded = example(batch=2)
    expected = 0.0
    for image, decoded, feature, again in zip(
        images, ours.images, encoding.features[-1], reencoded.features[-1], strict=True
    ):
        expected += float(torch.linalg.vector_norm((decoded - image).double()) ** 2)
        expected += float(torch.linalg.vector_norm((again - feature).double()) ** 2)
    loss = autoencoder_loss(images, ours.images, encoding.features[-1], reencoded.features[-1])
    assert loss.item() == pytest.approx(expected / 2, rel=1e-5)


def test_a_perfect_reconstruction_costs_nothing():
    images, encoding, _, _ = example()
    everything = LossWeights(*[1.0] * 10)
    terms = loss_terms(everything, images, encoding, Reconstruction(images, encoding.features[:-1]), encoding, 0.3)
    assert len(terms) == 9
    assert all(value.item() == 0 for value in terms.values())


def test_terms_without_weight_are_not_computed():
    assert loss_terms(NONE, *example(), 0.0) == {}
    assert set(loss_terms(LossWeights(image=1, moments=2), *example(), 0.0)) == {"image", "moments"}


@pytest.mark.parametrize(("gate", "weight"), [(0.0, 2.0), (1.0, 10.0), (0.25, 4.0)])
def test_the_gate_says_how_much_the_picture_counts(gate, weight):
    images, _, ours, _ = example()
    mean_square = (ours.images - images).double().square().mean().item()
    assert term("image", gate, image=2, image_open=10) == pytest.approx(weight * mean_square, rel=1e-5)


def test_an_even_shift_is_all_colour_and_fine_texture_is_none():
    images, encoding, _, reencoded = example()
    weights = LossWeights(image=1, coarse=1, colour=1)
    estimates = encoding.features[:-1]
    shifted = loss_terms(weights, images, encoding, Reconstruction(images + 0.1, estimates), reencoded, 0)
    assert {name: round(value.item(), 6) for name, value in shifted.items()} == dict.fromkeys(shifted, 0.01)
    checks = 0.1 * (-1.0) ** (torch.arange(16).view(16, 1) + torch.arange(8))
    textured = loss_terms(weights, images, encoding, Reconstruction(images + checks, estimates), reencoded, 0)
    assert textured["image"].item() == pytest.approx(0.01, rel=1e-4)
    assert textured["coarse"].item() == pytest.approx(0, abs=1e-9)
    assert textured["colour"].item() == pytest.approx(0, abs=1e-9)


def test_features_are_compared_level_by_level():
    _, encoding, ours, reencoded = example()
    errors = [
        (a.double() - b.double()).square().mean() for a, b in zip(reencoded.features, encoding.features, strict=True)
    ]
    of_blocks = [
        (a.double() - b.double()).square().mean() for a, b in zip(ours.features, encoding.features, strict=False)
    ]
    assert term("feature", feature=3) == pytest.approx(3 * errors[2].item(), rel=1e-5)
    assert term("lower_features", lower_features=3) == pytest.approx(3 * sum(errors[:2]).item(), rel=1e-5)
    assert term("estimates", estimates=3) == pytest.approx(3 * sum(of_blocks).item(), rel=1e-5)


def test_the_first_autoencoder_has_neither_lower_features_nor_estimates():
    images, encoding, _, reencoded = example(level=1)
    terms = loss_terms(
        LossWeights(lower_features=1, estimates=1), images, encoding, Reconstruction(images, ()), reencoded, 0
    )
    assert [value.item() for value in terms.values()] == [0, 0]


def test_moments_are_relative_to_the_pictures_own():
    _, encoding, _, reencoded = example()
    errors = []
    for ours, wanted in zip(reencoded.features, encoding.features, strict=True):
        for f, g in zip(ours.double().flatten(2), wanted.double().flatten(2), strict=True):
            m, s = f @ f.T / f.shape[1], g @ g.T / g.shape[1]
            errors.append(((m - s).norm() / s.norm()).item())
    pictures = len(encoding.features[0])
    assert term("moments", moments=1) == pytest.approx(sum(e**2 for e in errors) / pictures, rel=1e-4)
    # 0.003 of each is rounded off, so that there is a gradient where all is right.
    assert term("moment_errors", moment_errors=1) == pytest.approx(sum(errors) / pictures, abs=0.0032 * 3)


def test_right_moments_have_a_gradient():
    images, encoding, ours, _ = example()
    same = Encoding(tuple(f.clone().requires_grad_() for f in encoding.features), encoding.skips)
    loss_terms(LossWeights(moment_errors=1), images, encoding, ours, same, 0.0)["moment_errors"].backward()
    assert all(f.grad.isfinite().all() for f in same.features)


def test_the_gradient_of_the_moments_is_that_of_the_style_term_of_equation_2():
    f, s = random(1, 4, 6, 5).requires_grad_(), random(1, 4, 6, 5) + 1
    target = second_moments(s)
    (second_moments(f) - target).square().sum().backward()
    flat = f.detach().flatten(2)
    expected = 4 / 30 * (flat @ flat.mT / 30 - target) @ flat
    torch.testing.assert_close(f.grad.flatten(2), expected, rtol=1e-4, atol=1e-5)


def test_the_lattice_is_the_mean_at_each_place_of_a_cell_without_the_mean_colour():
    images, encoding, ours, reencoded = example()
    error = (ours.images - images).double()
    total = 0.0
    for picture in error:
        for channel in picture:
            places = torch.stack([channel[i::8, j::8].mean() for i in range(8) for j in range(8)])
            total += float((places - places.mean()).square().sum())
    found = loss_terms(LossWeights(lattice=3), images, encoding, ours, reencoded, 0.0)["lattice"].item()
    assert found == pytest.approx(3 * total / (64 * 3 * len(images)))
    brighter = Reconstruction(ours.images + 0.1, ours.features)
    again = loss_terms(LossWeights(lattice=3), images, encoding, brighter, reencoded, 0.0)["lattice"].item()
    assert again == pytest.approx(found, rel=1e-4)
