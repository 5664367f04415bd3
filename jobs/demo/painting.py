"""The vocabulary of the painted styles: noise, colour ramps, flow fields and brush strokes.

Lengths are fractions of the picture's side, so that another size gives the same picture in another detail.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array: TypeAlias = NDArray[Any]
Field: TypeAlias = NDArray[Any]  # (H, W) floats: one value a pixel
Picture: TypeAlias = NDArray[Any]  # (H, W, 3) floats: RGB in [0, 1]
Pixels: TypeAlias = NDArray[np.uint8]  # (H, W, 3)

# ---------------------------------------------------------------- fields and colours


def step(low: float, high: float, value: Field) -> Field:
    """Zero below `low`, one above `high`, smooth between (falls where `low` > `high`)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    smooth: Field = t * t * (3 - 2 * t)
    return smooth


def bell(distance: Field, width: float | Field) -> Field:
    """A Gaussian of the distance, one at zero."""
    height: Field = np.exp(-((distance / width) ** 2))
    return height


def mix(first: Array, second: Array, share: Array) -> Array:
    """From `first` where the share is zero to `second` where it is one."""
    mixed: Array = first + (second - first) * share
    return mixed


def over(below: Picture, above: Picture, alpha: Field) -> Picture:
    """`above` laid over `below` with the opacity `alpha`."""
    return mix(below, above, alpha[..., None])


def ramp(value: Array, *colours: str) -> Picture:
    """The colours ("rrggbb") at equal distances over [0, 1], linear between; one more axis than `value`."""
    table = np.array([list(bytes.fromhex(colour)) for colour in colours], np.float32) / 255
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(value, stops, table[:, k]) for k in range(3)], -1).astype(np.float32)


def flat(colour: str) -> Picture:
    """One colour, (1, 1, 3), to be broadcast."""
    return ramp(np.zeros((1, 1)), colour, colour)


def lit(picture: Picture, height: Field, strength: float) -> Picture:
    """The picture as a relief: light from the upper left on the surface `height`."""
    down, across = np.gradient(height)
    light = 1 + strength * np.clip(down + across, -0.6, 0.6)
    relief: Picture = picture * np.asarray(light)[..., None]
    return relief


def finish(picture: Array) -> Pixels:
    """[0, 1] to 8 bits."""
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def along(stream: Field) -> Field:
    """The flow of a stream function: the angle along its contours."""
    down, across = np.gradient(stream)
    angle: Field = np.arctan2(-across, down)
    return angle


def sample(field: Array, points: Array) -> Array:
    """The field's values at the points (..., 2) = (x, y) in [0, 1]; outside, the border's."""
    size = len(field)
    at = np.clip((points * size).astype(np.int32), 0, size - 1)
    values: Array = field[at[..., 1], at[..., 0]]
    return values


def between(field: Field, points: Array) -> Array:
    """As `sample`, but linear between the pixels, and the field repeats beyond its borders."""
    size = len(field)
    at = np.mod(points, 1) * size
    low = at.astype(np.int32)
    (right, down), (column, row) = np.moveaxis(at - low, -1, 0), np.moveaxis(np.mod(low, size), -1, 0)
    after, under = np.mod(column + 1, size), np.mod(row + 1, size)
    upper = mix(field[row, column], field[row, after], right)
    lower = mix(field[under, column], field[under, after], right)
    return mix(upper, lower, down)


def trace(start: Array, angle: Field, length: float, steps: int) -> Array:
    """Paths (count, steps + 1, 2) that follow the angle field, centred on their starts (count, 2)."""
    halves = []
    for sign in (-1, 1):
        path = [start]
        for _ in range(steps // 2):
            turn = sample(angle, path[-1])
            path.append(path[-1] + sign * length / steps * np.stack([np.cos(turn), np.sin(turn)], -1))
        halves.append(path)
    return np.stack(halves[0][:0:-1] + halves[1], 1)


# ---------------------------------------------------------------- what is drawn on them

Ink: TypeAlias = int | str | tuple[int, ...]


class Drawing:
    """A sheet to draw on in fractions of its side; twice the size, as ImageDraw does not antialias."""

    def __init__(self, ground: Pixels) -> None:
        self.size = len(ground)
        self.scale = 2 * self.size
        self._sheet = Image.fromarray(ground).resize((self.scale, self.scale), Image.Resampling.NEAREST)
        self._draw = ImageDraw.Draw(self._sheet)

    def line(self, path: Array, width: float, ink: Ink = 255) -> None:
        """A line of the given width through the points (n, 2)."""
        self._draw.line((path * self.scale).ravel().tolist(), ink, max(1, round(width * self.scale)))

    def disc(self, x: float, y: float, radius: float, ink: Ink = 255) -> None:
        """A filled disc."""
        self._draw.circle((x * self.scale, y * self.scale), radius * self.scale, ink)

    def polygon(self, corners: Array, ink: Ink = 255) -> None:
        """A filled polygon of the corners (n, 2)."""
        self._draw.polygon((corners * self.scale).ravel().tolist(), ink)

    def pixels(self) -> Array:
        """The sheet at its own size, in [0, 1]: (H, W) or (H, W, channels)."""
        sheet = np.asarray(self._sheet, np.float32)
        mean: Array = sheet.reshape(self.size, 2, self.size, 2, *sheet.shape[2:]).mean((1, 3))
        return mean / 255


class Strokes(NamedTuple):
    """The number of strokes of oil paint, and what the brush is like."""

    number: int
    length: float
    width: float
    bristles: int
    jitter: float  # how much the colour varies


class Scene:
    """A square to compose a picture on: its pixels' places (x to the right, y down) and its own chance."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.rng = np.random.default_rng(seed)
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size
        self.x, self.y = np.meshgrid(axis, axis)

    def noise(self, cells: float, octaves: int = 5, stretch: float = 1.0, gain: float = 0.5) -> Field:
        """Fractal noise in [0, 1] that tiles: `cells` bumps down the side, fewer across if `stretch` > 1."""
        total = np.zeros((self.size, self.size), np.float32)
        for octave in range(octaves):
            down = min(self.size, max(2, round(cells * 2**octave)))
            across = min(self.size, max(2, round(cells * 2**octave / stretch)))
            bumps = Image.fromarray(np.pad(self.rng.random((down, across), np.float32), 2, "wrap"))
            inner = (2, 2, across + 2, down + 2)
            total += gain**octave * np.asarray(bumps.resize(total.shape, Image.Resampling.BICUBIC, inner))
        total -= total.min()
        scaled: Field = total / total.max()
        return scaled

    def away(self, x: float, y: float) -> Field:
        """Every pixel's distance from a point."""
        return np.hypot(self.x - x, self.y - y)

    def profile(self, cells: float, octaves: int = 3) -> Array:
        """A skyline: noise over x alone, (W,)."""
        line: Array = self.noise(cells, octaves)[self.size // 2]
        return line

    def below(self, base: float, rise: float, cells: float, octaves: int = 3) -> Field:
        """How far each pixel lies below a ridge that rises by at most `rise` over `base`."""
        return self.y - base + rise * self.profile(cells, octaves)

    def ridges(self, cells: float, octaves: int = 7) -> Field:
        """Mountains as a height map in [0, 1] that tiles: creases of noise, finer ones on the heights."""
        total = np.zeros((self.size, self.size), np.float32)
        weight: Field = np.ones_like(total)
        for octave in range(octaves):
            crease = (1 - np.abs(2 * self.noise(cells * 2**octave, 1) - 1)) ** 2
            total += 0.5**octave * crease * weight
            weight = np.clip(1.6 * crease * weight, 0, 1)
        scaled: Field = total / total.max()
        return scaled

    def scatter(self, count: int) -> Array:
        """About `count` points that cover the square evenly but not regularly, in random order, (n, 2)."""
        side = round(count**0.5)
        cell = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
        points = (cell + self.rng.random(cell.shape)) / side * 1.06 - 0.03
        return self.rng.permutation(points.astype(np.float32))

    def nearest(self, sites: Array) -> tuple[Array, Field]:
        """Each pixel's nearest site (an index), and its distance to the border between the two nearest."""
        cell = np.empty((self.size, self.size), np.intp)
        edge = np.empty_like(self.x)
        column = np.arange(self.size)
        for row in range(self.size):
            squares = (self.x[row, :, None] - sites[:, 0]) ** 2 + (self.y[row, :, None] - sites[:, 1]) ** 2
            first = cell[row] = squares.argmin(1)
            least = squares[column, first]
            squares[column, first] = np.inf
            second = squares.argmin(1)
            gap = np.hypot(*(sites[second] - sites[first]).T)
            edge[row] = (squares[column, second] - least) / (2 * gap)
        return cell, edge

    def mirror(self, picture: Picture, shore: float, ripple: Field) -> Picture:
        """The picture above `shore` and, below it, its reflection in water that `ripple` displaces."""
        far = np.clip((self.y - shore) / (1 - shore), 0, 1)
        up = np.minimum(2 * shore - self.y + (0.01 + 0.3 * far) * ripple, shore)
        return np.where((self.y < shore)[..., None], picture, sample(picture, np.stack([self.x, up], -1)))

    def mask(self) -> Drawing:
        """An empty one-channel sheet, to draw on with 255."""
        return Drawing(np.zeros((self.size, self.size), np.uint8))

    def paint(self, ground: Picture, colours: Picture, angle: Field, strokes: Strokes) -> Picture:
        """Cover `ground` with oil strokes along `angle`, each in its place's colour; the paint has relief."""
        rng, (number, length, width, bristles, jitter) = self.rng, strokes
        start = self.scatter(number)
        count = len(start)
        paths = trace(start, angle, length, steps=6)
        ahead = np.diff(paths, axis=1, append=2 * paths[:, -1:] - paths[:, -2:-1])
        side = ahead[..., ::-1] * [-1, 1] / (np.linalg.norm(ahead, axis=-1, keepdims=True) + 1e-9)
        colour = sample(colours, start)[:, None] * (1 + rng.normal(0, jitter, (count, 1, 1)))
        colour = colour + rng.normal(0, 0.6 * jitter, (count, 1, 3))
        colour = colour + rng.normal(0, 0.45 * jitter, (count, bristles, 1))
        height = rng.uniform(0.15, 1, (count, bristles, 1))
        inks = finish(np.concatenate([colour, height], -1))  # the fourth channel is the height of the paint
        offset = ((np.arange(bristles) + 0.5) / bristles - 0.5) * width
        first, last = rng.integers(0, 2, (2, count, bristles))  # bristles leave the canvas one by one

        sheet = Drawing(np.dstack([finish(ground), np.zeros(angle.shape, np.uint8)]))
        for k in range(count):
            for b in range(bristles):
                path = (paths[k] + side[k] * offset[b])[first[k, b] : 7 - last[k, b]]
                sheet.line(path, 1.25 * width / bristles, tuple(inks[k, b].tolist()))
        painted = sheet.pixels()
        return lit(painted[..., :3], painted[..., 3], 1.0)
