"""Contact sheets: many results on one picture, beside the contents and the styles that they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont, ImageOps

Labelled = tuple[str, Image.Image | None]
"""A caption and a picture; None for one that cannot be read, which is marked as such."""

_MARGIN = 32
_GAP = 32  # between cells; a cell's caption stands in the gap below it
_SEPARATION = 16  # more between what goes in and what comes out
_TITLE = 72
_NOTE = 40
_CORNER = 6

_UNREADABLE = "unreadable"
_BACKGROUND = (23, 23, 26)
_EMPTY = (38, 38, 42)
_BRIGHT = (236, 236, 238)
_DIM = (158, 158, 166)


class Triple(NamedTuple):
    """One record of `pairs_sheet`; inputs of None are marked as unreadable, a result of None as failed."""

    label: str
    content: Image.Image | None
    style: Image.Image | None
    result: Image.Image | None


@dataclass(frozen=True)
class _Geometry:
    """Where the cells lie; before the columns and rows named `apart` there is more room."""

    thumb: int
    rows: int
    columns: int
    apart_x: frozenset[int] = frozenset()
    apart_y: frozenset[int] = frozenset()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet with title, note and margins."""
        right, bottom = self.corner(self.rows, self.columns)
        return max(right - _GAP + _MARGIN, 480), bottom + _NOTE

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Left and top pixel of a cell."""
        pitch = self.thumb + _GAP
        x = _MARGIN + column * pitch + _SEPARATION * sum(column >= at for at in self.apart_x)
        y = _TITLE + row * pitch + _SEPARATION * sum(row >= at for at in self.apart_y)
        return x, y


def contact_sheet(
    title: str,
    contents: Sequence[Labelled],
    styles: Sequence[Labelled],
    results: Mapping[tuple[str, str], Image.Image | None],
    *,
    thumb: int = 224,
    max_rows: int = 16,
    max_columns: int = 16,
) -> Image.Image:
    """Every content in every style: the styles along the top, the contents down the left side.

    Args:
        title: stands above the table.
        contents: (label, picture), a row each.
        styles: (label, picture), a column each.
        results: by (content's label, style's label); None is marked "failed", an absent one "missing".
        thumb: side of a thumbnail in pixels; pictures are cropped to squares about their centres.
        max_rows: contents beyond are left out, and a note says so.
        max_columns: styles beyond are left out, and a note says so.

    Returns:
        An RGB picture.
    """
    rows, columns = contents[:max_rows], styles[:max_columns]
    sheet = _Sheet(
        _Geometry(thumb, 1 + len(rows), 1 + len(columns), apart_x=frozenset({1}), apart_y=frozenset({1})), title
    )
    for column, (label, picture) in enumerate(columns, 1):
        sheet.cell(0, column, picture or _UNREADABLE)
        sheet.caption(0, column, label)
    for row, (label, picture) in enumerate(rows, 1):
        sheet.cell(row, 0, picture or _UNREADABLE)
        sheet.caption(row, 0, label)
        for column, (style, _) in enumerate(columns, 1):
            hint = "failed" if (label, style) in results else "missing"
            sheet.cell(row, column, results.get((label, style)) or hint)
    more = {"contents": len(contents) - len(rows), "styles": len(styles) - len(columns)}
    sheet.note(" and ".join(f"{number} more {what}" for what, number in more.items() if number))
    return sheet.image


def pairs_sheet(
    title: str, triples: Sequence[Triple], *, thumb: int = 224, per_line: int = 2, max_lines: int = 16
) -> Image.Image:
    """Any records, each as content, style and result side by side, `per_line` of them in a line.

    Args:
        title: stands above the records.
        triples: the records, in reading order.
        thumb: side of a thumbnail in pixels; pictures are cropped to squares about their centres.
        per_line: records in a line.
        max_lines: records beyond these lines are left out, and a note says so.

    Returns:
        An RGB picture.
    """
    shown = triples[: per_line * max_lines]
    across = min(per_line, max(1, len(shown)))
    apart = frozenset(3 * place for place in range(1, across))
    sheet = _Sheet(_Geometry(thumb, -(-len(shown) // across), 3 * across, apart_x=apart), title)
    for place, triple in enumerate(shown):
        row, column = place // across, 3 * (place % across)
        sheet.cell(row, column, triple.content or _UNREADABLE)
        sheet.cell(row, column + 1, triple.style or _UNREADABLE)
        sheet.cell(row, column + 2, triple.result or "failed")
        sheet.caption(row, column, triple.label, across=3)
    left_out = len(triples) - len(shown)
    sheet.note(f"{left_out} more" if left_out else "")
    return sheet.image


def rows_sheet(title: str, rows: Sequence[Sequence[Labelled]], *, apart: int, thumb: int = 224) -> Image.Image:
    """Rows of pictures with a caption each, such as a pair and what every method makes of it.

    Args:
        title: stands above the rows.
        rows: (label, picture); None is marked as unreadable among what goes in, as failed among what comes out.
        apart: how many pictures of a row go in; there is more room after them.
        thumb: side of a thumbnail in pixels; pictures are cropped to squares about their centres.

    Returns:
        An RGB picture.
    """
    geometry = _Geometry(thumb, len(rows), max(map(len, rows), default=0), apart_x=frozenset({apart}))
    sheet = _Sheet(geometry, title)
    for number, row in enumerate(rows):
        for column, (label, picture) in enumerate(row):
            sheet.cell(number, column, picture or (_UNREADABLE if column < apart else "failed"))
            sheet.caption(number, column, label)
    return sheet.image


class _Sheet:
    """A picture with a title and cells to fill."""

    def __init__(self, geometry: _Geometry, title: str) -> None:
        self.geometry = geometry
        self.image = Image.new("RGB", geometry.size, _BACKGROUND)
        self._draw = ImageDraw.Draw(self.image)
        self._text(title, (_MARGIN, _TITLE // 2), 26, _BRIGHT, "lm", geometry.size[0] - 2 * _MARGIN)

    def cell(self, row: int, column: int, filling: Image.Image | str) -> None:
        """A picture, cropped to the cell, or a hint in its place."""
        x, y = self.geometry.corner(row, column)
        thumb = self.geometry.thumb
        if isinstance(filling, str):
            self._draw.rounded_rectangle((x, y, x + thumb - 1, y + thumb - 1), _CORNER, _EMPTY)
            self._text(filling, (x + thumb // 2, y + thumb // 2), 18, _DIM, "mm", thumb)
        else:
            mask = Image.new("L", (thumb, thumb))
            ImageDraw.Draw(mask).rounded_rectangle((0, 0, thumb - 1, thumb - 1), _CORNER, 255)
            square = ImageOps.fit(filling.convert("RGB"), (thumb, thumb), Image.Resampling.LANCZOS)
            self.image.paste(square, (x, y), mask)

    def caption(self, row: int, column: int, text: str, across: int = 1) -> None:
        """A line below a cell, or below several side by side."""
        (left, y), (right, _) = self.geometry.corner(row, column), self.geometry.corner(row, column + across - 1)
        width = right + self.geometry.thumb - left
        self._text(text, (left + width // 2, y + self.geometry.thumb + _GAP // 2), 16, _DIM, "mm", width)

    def note(self, left_out: str) -> None:
        """What the sheet does not show, if anything."""
        if left_out:
            height = self.geometry.size[1]
            self._text(f"… and {left_out}", (_MARGIN, height - _NOTE // 2), 16, _DIM, "lm", self.image.width)

    def _text(
        self, text: str, at: tuple[int, int], size: int, colour: tuple[int, int, int], anchor: str, width: int
    ) -> None:
        font = ImageFont.load_default(size)
        text = text.translate({ord("–"): "-", ord("—"): "-"})  # the font that Pillow carries has no dashes
        if font.getlength(text) > width:
            while text and font.getlength(f"{text}…") > width:
                text = text[:-1]
            text = f"{text}…"
        self._draw.text(at, text, colour, font, anchor)
