"""Table 1 from timings."""

import pytest
from PIL import Image

from jobs.experiments.table1 import beside_the_papers, squares
from tests.jobs.pairs import picture


def timing(resolution, **seconds):
    stages = {"fetch": 0.01, "decode": 0.02, "style": 0.3, "encoder": 0.1, "transform": 0.2, "decoder": 0.3, "total": 1}
    stages |= seconds
    return {"resolution": resolution, "preset": "artistic", "count": 7, **{f"{k}_p50_s": v for k, v in stages.items()}}


def test_ours_stands_beside_the_papers():
    rows = beside_the_papers([timing(512), timing(256, transform=0.1), timing(100)], {256: 0.25, 512: 0.3})
    assert [row["resolution"] for row in rows] == [100, 256, 512]
    assert rows[0]["ratio"] is None and rows[0]["paper"] is None
    assert rows[1]["ours"] == pytest.approx(0.5) and rows[1]["ratio"] == pytest.approx(2)
    assert rows[2]["ratio"] == pytest.approx(2) and rows[2]["ratio_with_style"] == pytest.approx(3)
    assert rows[2]["fetch"] == 0.01 and rows[2]["pairs"] == 7


def test_squares_are_the_middle_of_pictures_at_the_side_asked_for(tmp_path):
    path = picture(tmp_path / "wide photo.png", 3, (90, 30))
    (made,) = squares([path], tmp_path / "squares", 60)
    with Image.open(made) as square, Image.open(path) as whole:
        assert square.size == (60, 60)
        expected = whole.resize((60, 60), Image.Resampling.LANCZOS, box=(30, 0, 60, 30))
        differences = [abs(a - b) for a, b in zip(square.tobytes(), expected.tobytes(), strict=True)]
        assert max(differences) <= 2
