"""The report's file: what is in it, for whom, and what cannot get out of it."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from statistics import median

import pytest

from jobs.report.renditions import THUMB, ZOOM, Rendition, reads_of, render_pictures
from jobs.report.write import report_page
from tests.jobs.report.evaluated import MadeUpPictures, evaluated

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\"><img src=x onerror='alert(2)'>",
    "]]>&lt;\u2028\u2029' -- {{ 7 * 7 }}",
    "\x00\x1b[31m\ud7ff\U0001f3a8",
]


class Elements(HTMLParser):
    """A page as the standard library's parser sees it: its elements, and the text of its scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.texts.append((tag, dict(attributes), ""))

    def handle_endtag(self, tag):
        self.elements.append(("/", {}))

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] in ("script", "style"):
            self.texts[-1] = (*self.texts[-1][:2], self.texts[-1][2] + data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def data(self):
        return json.loads(next(text for _, attributes, text in self.texts if attributes.get("id") == "data"))


def report(table, source=None, **options):
    return report_page(table, source or MadeUpPictures(), title=options.pop("title", "a run"), **options)


@pytest.fixture(scope="module")
def hostile():
    table = evaluated(
        12, methods=tuple(HOSTILE), failed=5, pair_id=[f"{HOSTILE[row % 5]}{row}" for row in range(12)],
        content=[HOSTILE[row % 5] for row in range(12)], error=[HOSTILE[row % 5] for row in range(12)],
        error_type=[HOSTILE[row % 5] for row in range(12)], label=[HOSTILE[-1]] * 12, ruin=[HOSTILE[0]] + [None] * 11,
    )  # fmt: skip
    return table, Elements(report(table, title=HOSTILE[0], frechet={HOSTILE[2]: 1.0}).html)


def test_hostile_names_stay_text(hostile):
    table, page = hostile
    plain = Elements(report(evaluated(12, methods=("a", "b", "c", "d", "e"), failed=5, ruined=1)).html)
    executable = [attributes for attributes in page.all("script") if "type" not in attributes]
    assert len(executable) == 1
    assert not [attributes for attributes in page.all("img") if not attributes.get("src", "data:").startswith("data:")]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in plain.elements}
    assert page.data()["pair_id"] == table["pair_id"].to_pylist()
    assert page.data()["error"] == table["error"].to_pylist()


def test_only_the_reports_own_script_and_style_may_run_and_nothing_may_be_fetched(hostile):
    _, page = hostile
    (policy,) = (each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'" and directives["img-src"] == "data:"
    for tag in ("script", "style"):
        (text,) = (text for name, attributes, text in page.texts if name == tag and "type" not in attributes)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert directives[f"{tag}-src"] == f"'sha256-{digest}'"
    assert not [attributes for _, attributes in page.elements if "style" in attributes]


def test_the_figures_are_those_of_the_table():
    table = evaluated(40)
    html = report(table).html
    page = Elements(html)
    rows = table.to_pylist()
    for method in ("ift", "wct"):
        values = [row["ssim"] for row in rows if row["method"] == method and row["ssim"] is not None]
        assert f"{median(values):.4g}" in html
    data = page.data()
    assert data["values"]["ssim"] == [row["ssim"] and float(f"{row['ssim']:.4g}") for row in rows]
    assert "lpips" not in data["values"]
    assert [data["uris"][code] for code in data["content"]] == table["content"].to_pylist()
    assert data["failed"] == [38, 39] and data["ruined"] == [0, 1, 2]
    assert re.search(r"2 × ImageError", html)


def test_of_many_pairs_an_even_sample_is_listed_and_the_page_says_so():
    page = report(evaluated(900, failed=30), most_rows=200, pictures_mb=0)
    assert page.pairs == 200 and page.pictured == 0
    assert "200 of 900 pairs are listed" in page.html
    listed = Elements(page.html).data()["row"]
    assert listed == sorted(set(listed))
    assert {840, *range(870, 900)} & set(listed) >= set(range(870, 900))
    assert max(b - a for a, b in zip(listed, listed[1:], strict=False)) < 40


def test_pictures_are_embedded_once_within_the_budget():
    source = MadeUpPictures(128)
    table = evaluated(200)
    page = report(table, source, pictures_mb=0.3)
    assert len(source.read) == len(set(source.read))
    assert 20 < page.pictured < 198
    thumbs = [text for _, attributes, text in Elements(page.html).texts if attributes.get("id", "").startswith("t")]
    assert 0.3e6 < sum(map(len, thumbs)) < 0.9e6
    best = Elements(page.html).data()["best"]["both"]
    assert set(map(str, best)) <= set(Elements(page.html).data()["pictures"])


def test_a_picture_that_cannot_be_read_leaves_a_gap_and_no_more():
    source = MadeUpPictures(missing={5})
    elements = Elements(report(evaluated(12), source).html)
    data = elements.data()
    ids = {attributes.get("id") for attributes in elements.all("script")}
    content, style, result = data["pictures"]["5"]
    assert {f"t{content}", f"t{style}"} <= ids and f"t{result}" not in ids


@pytest.mark.parametrize(("size", "thumb", "zoom"), [(64, 64, None), (600, THUMB, ZOOM)])
def test_renditions_have_their_sizes(size, thumb, zoom):
    import io

    from PIL import Image

    row = evaluated(1, failed=0).to_pylist()[0]
    made = render_pictures([(0, reads_of(MadeUpPictures(size), row))], 1, 1e9)
    assert made.pairs == {0: [0, 1, 2]}
    for picture in made.pictures:
        assert isinstance(picture, Rendition)
        sizes = [Image.open(io.BytesIO(base64.b64decode(text))).size for text in (picture.thumb, picture.zoom) if text]
        assert sizes == [(side, side * 3 // 4) for side in (thumb, zoom) if side]


def test_an_evaluation_without_a_single_result_still_has_a_report():
    page = report(evaluated(3, failed=3, ruined=0))
    assert "3 × ImageError" in page.html and page.pictured == 0
