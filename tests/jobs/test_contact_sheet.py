"""Contact sheets: each picture lands in its cell, and what is missing or left out is said."""

import numpy as np
import pytest
from PIL import Image

from jobs.contact_sheet import Triple, contact_sheet, pairs_sheet, rows_sheet

THUMB = 48
GREY = (120, 120, 120)


def solid(colour, size=(60, 40)):
    return Image.new("RGB", size, colour)


def find(sheet, colour):
    """The bounding box (left, top, right, bottom) of a colour on the sheet, or None."""
    hit = (np.asarray(sheet) == colour).all(-1)
    if not hit.any():
        return None
    ys, xs = np.nonzero(hit)
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


def colour_of(row, column):
    return (200, 20 + 30 * row, 20 + 30 * column)


def pictures(kind, number):
    shade = {"content": 0, "style": 100}[kind]
    return [(f"{kind} {k}", solid((shade + 20 * k, 255, 0))) for k in range(number)]


@pytest.fixture
def table():
    contents, styles = pictures("content", 3), pictures("style", 4)
    results = {
        (content, style): solid(colour_of(row, column))
        for row, (content, _) in enumerate(contents)
        for column, (style, _) in enumerate(styles)
    }
    return contents, styles, results


def test_each_result_stands_under_its_style_and_beside_its_content(table):
    contents, styles, results = table
    sheet = contact_sheet("Title", contents, styles, results, thumb=THUMB)
    for row, (_, content) in enumerate(contents):
        for column, (_, style) in enumerate(styles):
            left, top, right, bottom = find(sheet, colour_of(row, column))
            assert (right - left, bottom - top) == (THUMB, THUMB)
            above, beside = find(sheet, style.getpixel((0, 0))), find(sheet, content.getpixel((0, 0)))
            assert (above[0], above[2]) == (left, right) and above[3] < top
            assert (beside[1], beside[3]) == (top, bottom) and beside[2] < left


def test_pictures_are_cropped_about_their_centres():
    wide = Image.new("RGB", (300, 100), (255, 0, 0))
    wide.paste((0, 0, 255), (85, 0, 215, 100))
    sheet = contact_sheet("", [("wide", wide)], [], {}, thumb=THUMB)
    left, top, right, bottom = find(sheet, (0, 0, 255))
    assert (right - left, bottom - top) == (THUMB, THUMB)
    assert find(sheet, (255, 0, 0)) is None


def test_failed_and_missing_results_are_marked_and_told_apart(table):
    contents, styles, results = table
    whole = np.asarray(contact_sheet("", contents, styles, results, thumb=THUMB), int)
    key = ("content 1", "style 2")
    left, top, right, bottom = find(whole, colour_of(1, 2))
    cells = []
    for changed in ({**results, key: None}, {k: v for k, v in results.items() if k != key}):
        sheet = np.asarray(contact_sheet("", contents, styles, changed, thumb=THUMB), int)
        assert find(sheet, colour_of(1, 2)) is None
        differs = np.abs(sheet - whole).sum(-1) > 0
        assert differs[top:bottom, left:right].any()
        differs[top:bottom, left:right] = False
        assert not differs.any()
        cells.append(sheet[top:bottom, left:right])
        assert len(np.unique(cells[-1].reshape(-1, 3), axis=0)) > 2  # a word is written there
    assert (cells[0] != cells[1]).any()


def test_rows_and_columns_beyond_the_limits_are_left_out_with_a_note(table):
    contents, styles, results = table
    capped = contact_sheet("", contents, styles, results, thumb=THUMB, max_rows=2, max_columns=3)
    assert find(capped, colour_of(1, 2)) is not None
    assert find(capped, colour_of(2, 0)) is None
    assert find(capped, colour_of(0, 3)) is None
    without = contact_sheet("", contents[:2], styles[:3], results, thumb=THUMB)
    assert capped.size == without.size
    differs = (np.asarray(capped) != np.asarray(without)).any((1, 2))
    assert differs.any() and np.nonzero(differs)[0].min() > find(capped, colour_of(1, 0))[3]


def test_a_long_label_stays_within_its_cell():
    styles = [("an extremely long name of a style, " * 5, solid((0, 255, 0))), ("short", solid((0, 0, 255)))]
    long = np.asarray(contact_sheet("", [], styles, {}, thumb=THUMB), int)
    short = np.asarray(contact_sheet("", [], [("", styles[0][1]), styles[1]], {}, thumb=THUMB), int)
    columns = np.nonzero((long != short).any((0, 2)))[0]
    left, _, right, _ = find(long, (0, 255, 0))
    assert left <= columns.min() and columns.max() < right


def test_other_modes_than_rgb_are_taken():
    sheet = contact_sheet("", [("grey", Image.new("L", (50, 50), 120))], [("rgba", Image.new("RGBA", (9, 9)))], {})
    assert sheet.mode == "RGB"
    assert find(sheet, GREY) is not None


def test_pairs_run_in_reading_order_with_content_style_and_result_side_by_side():
    triples = [
        Triple(str(k), solid((10 * k, 255, 0)), solid((10 * k, 0, 255)), solid((255, 10 * k, 99))) for k in range(5)
    ]
    sheet = pairs_sheet("Title", triples, thumb=THUMB, per_line=2)
    places = []
    for content, style, result in [[picture.getpixel((0, 0)) for picture in triple[1:]] for triple in triples]:
        boxes = [find(sheet, colour) for colour in (content, style, result)]
        assert len({(top, bottom) for _, top, _, bottom in boxes}) == 1
        assert boxes[0][2] < boxes[1][0] and boxes[1][2] < boxes[2][0]
        places.append((boxes[0][1], boxes[0][0]))
    assert places == sorted(places)
    assert len({top for top, _ in places}) == 3


def test_pairs_mark_failures_and_say_what_they_leave_out():
    triples = [Triple(str(k), solid(GREY), solid(GREY), None if k else solid((255, 0, 0))) for k in range(7)]
    capped = pairs_sheet("", triples, thumb=THUMB, per_line=2, max_lines=2)
    exact = pairs_sheet("", triples[:4], thumb=THUMB, per_line=2, max_lines=2)
    assert capped.size == exact.size
    assert (np.asarray(capped) != np.asarray(exact)).any()
    assert find(capped, (255, 0, 0)) is not None


def test_nothing_to_show_gives_a_sheet_with_the_title_alone():
    for sheet, untitled in (
        (contact_sheet("Title", [], [], {}), contact_sheet("", [], [], {})),
        (pairs_sheet("Title", []), pairs_sheet("", [])),
    ):
        assert len(np.unique(np.asarray(untitled).reshape(-1, 3), axis=0)) == 1
        assert (np.asarray(sheet) != np.asarray(untitled)).any()


def test_rows_show_every_picture_in_its_place_and_what_is_missing():
    rows = [[(f"{row} {column}", solid(colour_of(row, column))) for column in range(4)] for row in range(2)]
    sheet = rows_sheet("rows", rows, apart=2, thumb=THUMB)
    boxes = [[find(sheet, colour_of(row, column)) for column in range(4)] for row in range(2)]
    for line in boxes:
        assert len({(box[1], box[3]) for box in line}) == 1  # side by side
        steps = [right[0] - left[0] for left, right in zip(line, line[1:], strict=False)]
        assert steps[0] == steps[2] < steps[1]  # what goes in stands apart from what comes out
    assert boxes[1][0][1] >= boxes[0][0][3] and boxes[1][0][0] == boxes[0][0][0]

    rows[1][3] = ("1 3", None)
    without = rows_sheet("rows", rows, apart=2, thumb=THUMB)
    assert without.size == sheet.size and find(without, colour_of(1, 3)) is None
    as_input = rows_sheet("rows", rows, apart=4, thumb=THUMB)
    assert np.asarray(without.crop(boxes[1][3])).tolist() != np.asarray(as_input.crop(boxes[1][3])).tolist()
