import colorsys
from dataclasses import replace

import numpy as np
import torch

from ift.training.draws import Crop, cut, draw
from ift.training.recipe import DEFAULT
from ift.training.recolouring import Recolouring, draw_recolouring

AS_IT_IS = Recolouring(saturation=1, order=(0, 1, 2), gammas=(1, 1, 1), brightness=1)


def noise(seed=0):
    return torch.randint(256, (3, 9, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_nothing_changes_where_nothing_is_drawn():
    assert torch.equal(AS_IT_IS(noise()), noise())


def test_each_change_is_what_it_says():
    photo = noise()
    assert torch.equal(replace(AS_IT_IS, order=(2, 0, 1))(photo), photo[[2, 0, 1]])
    grey = replace(AS_IT_IS, saturation=0)(photo)
    red, green, blue = photo.double()
    luma = (0.299 * red + 0.587 * green + 0.114 * blue).round()
    assert (grey.double() - luma).abs().max() <= 1
    assert torch.equal(replace(AS_IT_IS, brightness=0.6)(photo).double(), (0.6 * photo.double()).round())
    darker = replace(AS_IT_IS, gammas=(2, 1, 1))(photo)
    assert torch.equal(darker[1:], photo[1:])
    assert (darker[0].double() - photo[0].double() ** 2 / 255).abs().max() <= 1


def test_strong_colours_come_out_of_it():
    generator = np.random.default_rng(0)
    tame = torch.tensor([140, 120, 110], dtype=torch.uint8).view(3, 1, 1)
    made = [draw_recolouring(generator)(tame).flatten().tolist() for _ in range(400)]
    saturations = [colorsys.rgb_to_hsv(*colour)[1] for colour in made]
    assert max(saturations) > 0.6 and min(saturations) < 0.15
    assert len({tuple(np.argsort(colour)) for colour in made}) == 6


def test_the_share_of_a_stage_is_recoloured_and_the_squares_stay_where_they_are():
    stage = replace(DEFAULT.stages[-1], batch=400, recoloured=0.25)
    crops = draw(1, 0, 0, stage, 500).crops
    assert 60 < sum(crop.recolouring is not None for crop in crops) < 140
    plain = draw(1, 0, 0, replace(stage, recoloured=0), 500).crops
    assert [crop.photo for crop in plain] == [crop.photo for crop in crops]
    assert all(crop.recolouring is None for crop in plain)


def test_a_square_is_recoloured_and_mirrored():
    crop = Crop(0, 0.5, 0, True, replace(AS_IT_IS, order=(1, 2, 0)))
    assert torch.equal(cut(noise(), crop, 5), noise()[[1, 2, 0], 2:7, :5].flip(2))
