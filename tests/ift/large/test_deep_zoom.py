from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ift.errors import ImageError
from ift.large.deep_zoom import OVERLAP, TILE, save_deep_zoom
from ift.raw_picture import RawPicture
from tests.ift.large.pictures import smooth
from tests.jobs.report.browser import CHROMIUM, asked_for, chromium, opened

HEIGHT, WIDTH = 700, 1100


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "raw").write_bytes(smooth(HEIGHT, WIDTH).tobytes())
    return RawPicture(tmp_path / "raw", HEIGHT, WIDTH)


def assembled(folder, level):
    """The picture of a level, each tile put where the format says."""
    height, width = (-(-side // 2 ** (11 - level)) for side in (HEIGHT, WIDTH))
    picture = np.zeros((height, width, 3), np.uint8)
    for path in (folder / "picture_files" / str(level)).iterdir():
        column, row = map(int, path.stem.split("_"))
        tile = np.asarray(Image.open(path))
        top, left = (max(0, index * TILE - OVERLAP) for index in (row, column))
        picture[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return picture


def test_tiles_make_up_the_picture_at_every_size(raw, tmp_path):
    folder = tmp_path / "new" / "zoom"
    save_deep_zoom(raw, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "picture.dzi", "picture_files"]
    assert sorted(int(path.name) for path in (folder / "picture_files").iterdir()) == list(range(12))
    for level in range(7, 12):
        tiles = assembled(folder, level)
        whole = Image.fromarray(smooth(HEIGHT, WIDTH)).resize(tiles.shape[1::-1], Image.Resampling.BOX)
        assert np.abs(tiles.astype(int) - np.asarray(whole)).mean() < 3
    size = ElementTree.parse(folder / "picture.dzi").getroot()[0].attrib
    assert size == {"Height": str(HEIGHT), "Width": str(WIDTH)}


def test_an_earlier_one_is_replaced_with_equal_bytes_and_nothing_else_is(raw, tmp_path):
    folder = tmp_path / "zoom"
    save_deep_zoom(raw, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / "picture_files" / "stale").touch()
    save_deep_zoom(raw, folder)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / "mine.txt").touch()
    with pytest.raises(ImageError, match=r"other things, such as mine\.txt"):
        save_deep_zoom(raw, folder)
    with pytest.raises(ImageError, match="is a file"):
        save_deep_zoom(raw, raw.path)


def test_a_failure_leaves_no_folder(raw, tmp_path):
    def stop(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_deep_zoom(raw, tmp_path / "zoom", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_name_cannot_break_the_page(raw, tmp_path):
    save_deep_zoom(raw, tmp_path / "<script>\"&'")
    page = (tmp_path / "<script>\"&'" / "index.html").read_text(encoding="utf-8")
    assert page.count("<script>") == 1
    assert "<title>&lt;script&gt;&#34;&amp;&#39;</title>" in page


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_shows_the_picture_and_asks_for_nothing_else(raw, tmp_path):
    folder = tmp_path / "zoom"
    save_deep_zoom(raw, folder)
    with chromium() as browser:
        seen = opened(browser, folder / "index.html", viewport={"width": 550, "height": 350})
        seen.page.wait_for_timeout(500)
        seen.page.screenshot(path=tmp_path / "fit.png")
        seen.page.keyboard.press("1")
        seen.page.wait_for_timeout(500)
        seen.page.screenshot(path=tmp_path / "own.png")
        assert seen.page.locator("output").inner_text() == "100 %"
        assert seen.complaints == []
        assert all(url.startswith(folder.as_uri()) for url in asked_for(seen, folder / "index.html"))
    shown = np.asarray(Image.open(tmp_path / "fit.png").convert("RGB")).astype(int)
    whole = np.asarray(Image.fromarray(smooth(HEIGHT, WIDTH)).resize((550, 350), Image.Resampling.BOX))
    assert np.abs(shown - whole)[:280].mean() < 3  # above the buttons
    shown = np.asarray(Image.open(tmp_path / "own.png").convert("RGB")).astype(int)
    assert np.abs(shown - smooth(HEIGHT, WIDTH)[175:525, 275:825])[:280].mean() < 3
