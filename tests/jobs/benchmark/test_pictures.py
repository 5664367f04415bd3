import numpy as np
import pytest
from PIL import Image

from jobs.benchmark.pictures import painted, photo, photos, write_squares


def test_pictures_are_exact_squares_in_range():
    for picture in (photo(40), photo(72), painted("golden_hour", 40), *photos(40).values()):
        assert picture.shape[0] == 3 and picture.shape[1] == picture.shape[2]
        assert 0 <= picture.min() < picture.max() <= 1


@pytest.mark.parametrize("count", [3, 16, 31])
def test_as_many_different_jpegs_as_are_asked_for(tmp_path, count):
    for paths in write_squares(tmp_path, 48, count, count):
        images = [Image.open(path) for path in paths]
        assert {(image.format, image.size) for image in images} == {("JPEG", (48, 48))}
        assert len({np.asarray(image).tobytes() for image in images}) == count
