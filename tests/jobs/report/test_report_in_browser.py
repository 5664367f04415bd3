"""The report and the comparison in a real Chromium, without a network."""

import re
from pathlib import Path

import pytest

from jobs.comparison.compare import compare_tables, matched_tables
from jobs.comparison.page import comparison_page
from jobs.report.write import report_page
from tests.jobs.report.browser import CHROMIUM, asked_for, chromium, opened
from tests.jobs.report.evaluated import MadeUpPictures, evaluated

expect = pytest.importorskip("playwright.sync_api", reason="no playwright; the extra dev has it").expect
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium in PATH; Debian's package chromium has it"),
]

HOSTILE = "</script><img src=x onerror=document.title='taken'>"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    ids = [f"{HOSTILE}-{row}" if row == 3 else f"pair-{row}" for row in range(60)]
    table = evaluated(60, pair_id=ids, failed=4)
    page = report_page(table, MadeUpPictures(400, missing={1}), title=HOSTILE, pictures_mb=50)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page.html, encoding="utf-8")
    return path


@pytest.fixture
def seen(browser, path):
    seen = opened(browser, path, viewport=DESK)
    yield seen
    assert (seen.complaints, asked_for(seen, path)) == ([], [])
    assert "taken" not in seen.page.title().removeprefix(f"Evaluation of {HOSTILE}")
    seen.page.close()


def texts(page, selector):
    return page.locator(selector).all_inner_texts()


def column(page, number):
    return texts(page, f"#pairs tbody td:nth-child({number})")


def test_the_grid_has_pages_filters_and_orders(seen):
    page = seen.page
    assert page.locator("#grid .card").count() == 24
    assert page.locator("#grid-pager span").inner_text() == "1–24 of 56"
    page.click("#grid-pager button:last-child")
    assert page.locator("#grid-pager span").inner_text() == "25–48 of 56"
    page.select_option("#grid-controls label:has-text('method') select", label="wct")
    assert page.locator("#grid-pager span").inner_text() == "1–24 of 28"
    assert set(texts(page, "#grid .caption span:nth-child(2)")) == {"wct"}
    page.select_option("#grid-controls label:has-text('order by') select", "ssim")
    values = [float(text.split()[-1]) for text in texts(page, "#grid .caption span:nth-child(3)")]
    assert values == sorted(values) and len(set(values)) > 10
    page.select_option("#grid-controls label:has-text('status') select", "ruined")
    assert texts(page, "#grid .caption b") == ["pair-1"]
    assert page.locator("#grid .card .main.empty").inner_text() == "cannot be read"


def test_every_picture_of_a_page_is_decoded(seen):
    page = seen.page
    page.locator("#pictures").scroll_into_view_if_needed()
    decoded = "all => Promise.all(all.map((one) => one.decode().then(() => one.naturalWidth)))"
    sizes = page.eval_on_selector_all("#grid .card .main:is(img)", decoded)
    assert len(sizes) == 23 and set(sizes) == {256}


def test_the_divide_follows_pointer_and_keys_and_clips_the_picture(seen):
    page = seen.page

    def clipped():
        clip = page.locator("#zoom .before").evaluate("one => getComputedStyle(one).clipPath")
        return float(re.search(r"0px ([\d.]+)%", clip).group(1))

    page.locator("#grid .card").first.click()
    assert page.locator("#zoom").is_visible() and clipped() == 50
    expect(page.locator("#zoom .after")).to_have_js_property("naturalWidth", 400)  # the larger rendition
    box = page.locator("#zoom .frame").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.mouse.up()
    assert clipped() == pytest.approx(75, abs=1)
    page.keyboard.press("ArrowUp")
    assert clipped() == pytest.approx(70, abs=1)
    page.keyboard.press("End")
    assert clipped() == 0
    assert abs(box["width"] / box["height"] - 4 / 3) < 0.02


def test_keys_walk_through_the_pairs_and_leave(seen):
    page = seen.page
    page.locator("#grid .card").nth(2).click()
    titles = [page.locator("#zoom h2").inner_text()]
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
        titles.append(page.locator("#zoom h2").inner_text())
    assert titles == ["pair-2", f"{HOSTILE}-3", "pair-4", f"{HOSTILE}-3"]
    assert page.locator("#zoom .measured tbody tr").count() > 10
    page.keyboard.press("Escape")
    assert not page.locator("#zoom").is_visible()


def test_a_failed_pair_shows_its_error_in_place_of_pictures(seen):
    page = seen.page
    page.select_option("#table-controls label:has-text('status') select", "failed")
    assert column(page, 2) == [f"pair-{row}" for row in range(56, 60)]
    page.locator("#pairs tbody tr").first.click()
    assert page.locator("#zoom .stage .empty").inner_text() == "ImageError: content.png is damaged"
    assert not page.locator("#zoom .frame").is_visible()


def test_the_table_sorts_by_any_column_and_has_pages(seen):
    page = seen.page
    for name, at in (("SSIM", 5), ("Gram distance", 8)):
        page.locator("#pairs thead th").get_by_text(name, exact=True).click()
        rising = [float(text) for text in column(page, at)]
        assert rising == sorted(rising) and len(rising) == 50
        page.locator("#pairs thead th").get_by_text(name, exact=True).click()
        falling = [float(text) for text in column(page, at)]
        assert falling == sorted(falling, reverse=True) and falling[0] > rising[-1]
    page.click("#table-pager button:last-child")
    assert page.locator("#table-pager span").inner_text() == "51–60 of 60"
    assert column(page, 8)[-4:] == ["–"] * 4  # the failed ones, last in either direction
    page.fill("#table-controls input", "onerror")
    assert column(page, 2) == [f"{HOSTILE}-3"]


def test_other_tables_sort_too(seen):
    page = seen.page
    page.locator("#medians th", has_text="SSIM").first.click()
    values = [float(text) for text in texts(page, "#medians tbody td:nth-child(3)")]
    assert values == sorted(values, reverse=True)
    page.locator("#medians th", has_text="SSIM").first.click()
    assert [float(text) for text in texts(page, "#medians tbody td:nth-child(3)")] == sorted(values)


def test_best_and_worst_by_each_main_metric(seen):
    page = seen.page
    page.click("#extremes .choice button:has-text('SSIM')")
    shown = [texts(page, f"#{which} .caption span:nth-child(3)") for which in ("best", "worst")]
    best, worst = ([float(text.split()[-1]) for text in some] for some in shown)
    assert best == sorted(best, reverse=True) and worst == sorted(worst) and min(best) > max(worst)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_no_sideways_scroll_and_the_divide_follows_a_finger(browser, path, scheme):
    seen = opened(browser, path, viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True)
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator("#grid .card").first.tap()
    box = page.locator("#zoom .frame").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    page.touchscreen.tap(box["x"] + box["width"] * 0.2, box["y"] + 50)
    assert abs(int(page.locator("#zoom .handle").get_attribute("aria-valuenow")) - 20) <= 1
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper)[:3])) > 384) == (scheme == "light")
    assert (seen.complaints, asked_for(seen, path)) == ([], [])
    page.close()


def test_the_comparison_shows_what_has_changed_most(browser, tmp_path):
    a = evaluated(40, failed=0)
    b = evaluated(40, failed=0, ssim=[value + 0.01 * (row - 5) for row, value in enumerate(a["ssim"].to_pylist())])
    comparison = compare_tables(a, b)
    sources = MadeUpPictures(300), MadeUpPictures(300)
    path = Path(tmp_path, "comparison.html")
    path.write_text(comparison_page(comparison, matched_tables(a, b), sources, (HOSTILE, "b")), encoding="utf-8")
    seen = opened(browser, path, viewport=PHONE)
    page = seen.page
    assert page.locator("#differences tbody tr", has_text="SSIM").first.locator("td").first.inner_text() == "better"
    assert texts(page, "#better .caption b") == [f"pair-{row}" for row in range(39, 27, -1)]
    assert texts(page, "#worse .caption b") == [f"pair-{row}" for row in range(5)]
    page.locator("#better .card").first.click()
    assert (page.locator("#zoom .tag.left").inner_text(), page.locator("#zoom .tag.right").inner_text()) == ("A", "B")
    assert page.locator("#zoom .beside figure").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert (seen.complaints, asked_for(seen, path)) == ([], [])
    page.close()
