"""Style pictures that the project paints itself: procedural, seeded, free to ship; one short function a picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.demo.painting import (
    Array,
    Drawing,
    Field,
    Picture,
    Pixels,
    Scene,
    Strokes,
    along,
    bell,
    between,
    finish,
    flat,
    lit,
    mix,
    over,
    ramp,
    sample,
    step,
    trace,
)


def starry(size: int) -> Pixels:
    """A night sky of impasto whirls over dark hills and a cypress."""
    scene = Scene(size, seed=1)
    x, y = scene.x, scene.y
    stars = [(0.84, 0.17, 0.080), (0.33, 0.10, 0.046), (0.55, 0.13, 0.030), (0.30, 0.42, 0.034), (0.07, 0.17, 0.036)]
    stars += [(0.67, 0.54, 0.030), (0.92, 0.46, 0.042), (0.05, 0.44, 0.026)]
    whirls = [(0.47, 0.34, 0.15, 1.0), (0.68, 0.37, 0.09, -0.8)]

    stream = 0.55 * y + 0.10 * scene.noise(3, 3) + 0.03 * np.sin(9 * x + 5 * y)
    for cx, cy, r, turn in whirls:
        stream += turn * 1.1 * r * bell(scene.away(cx, cy), r)
    bands = 0.5 + 0.5 * np.sin(stream * 75 + 5 * scene.noise(5, 3))
    sky = ramp(0.65 * bands + 0.35 * scene.noise(4), "081240", "10297e", "1f4fae", "3f86cc", "8fc3d8", "d8e6c4")
    for cx, cy, r, _ in whirls:
        d = scene.away(cx, cy)
        swirl = 0.5 + 0.5 * np.sin(np.arctan2(y - cy, x - cx) * 2 + d / r * 9)
        sky = over(sky, ramp(swirl, "1b4a9f", "7fb6d6", "f3ecc2"), 0.8 * bell(d, 1.05 * r))
    for cx, cy, r in stars:
        d = scene.away(cx, cy) / r
        halo = ramp(d / 2.4, "fffbe0", "ffe25a", "f7a81b", "f5d35c", "a9c98e", "4f8fc0")
        sky = over(sky, halo, step(2.4, 1.2, d) * (0.75 + 0.25 * np.cos(d * 7)))
        stream = mix(stream, d * r, step(2.6, 1.6, d))
    picture, flow = sky, stream
    for base, rise, cells, dark in ((0.72, 0.20, 3, 0.0), (0.82, 0.12, 2, 0.3), (0.95, 0.12, 3, 0.55)):
        depth = scene.below(base, rise, cells)
        fold = 0.5 + 0.5 * np.sin(depth * 75 + 9 * scene.noise(3, 3))
        hill = ramp(fold, "071433", "143a74", "2a6f8e", "4f9a8a", "b9c07a") * (1 - dark)
        inside = step(-0.004, 0.004, depth)
        picture = over(picture, hill, inside)
        flow = mix(flow, depth * 0.6 + 0.12 * scene.noise(3, 2), inside)
    tip = np.clip(y - 0.10, 0, 1)
    sway = x - 0.15 - 0.012 * np.sin(y * 11)
    flame = np.abs(sway) - 0.105 * np.sqrt(tip) * (1.25 - tip) + 0.07 * scene.noise(7, 3, stretch=0.3)
    inside = step(0.036, 0.030, flame) * step(0.10, 0.11, y)
    tongues = ramp(scene.noise(9, 3, stretch=0.3), "03100e", "0a261f", "1d4a2c", "3a5a2a", "8a7a2a")
    picture = over(picture, tongues, inside)
    flow = mix(flow, sway + 0.10 * scene.noise(5, 2, stretch=0.4), inside)
    angle = along(flow)
    ground = scene.paint(picture * 0.8, picture, angle, Strokes(3600, 0.10, 0.022, 4, 0.08))
    return finish(scene.paint(ground, picture, angle, Strokes(9000, 0.055, 0.0095, 4, 0.10)))


def fauve(size: int) -> Pixels:
    """A southern bay in broad pure strokes: orange sky, violet hills, viridian water, blue trees."""
    scene = Scene(size, seed=2)
    x, y = scene.x, scene.y
    wobble = scene.noise(4, 2) - 0.5
    sun = scene.away(0.60, 0.20)
    picture = ramp(y / 0.42 + 0.9 * wobble, "c8286e", "f2455a", "ff7a2e", "ffab2e", "ffd84a", "ffc08a")
    picture = over(picture, ramp(sun / 0.15, "fff8d4", "ffe94a", "ff8a1f"), step(0.13, 0.11, sun))
    flow = sun * step(0.4, 0.2, sun) + (0.6 * y + 0.2 * wobble) * step(0.2, 0.4, sun)
    outline = flat("161a5e")
    layers = (
        (0.46, 0.20, 3, ("1f2a8e", "5a3fb8", "9a4fc0", "e0609a", "2f6ad0")),
        (0.50, 0.12, 2, ("0a5f4c", "16a06a", "9ad03a", "f0c83a", "ef6a3a")),
        (0.53, 0.00, 2, ("0a4fa0", "12a3a8", "4fd8c0", "f6b0c0", "0f6fc0", "10b090")),
        (0.90, 0.22, 2, ("b0183a", "ee4a26", "ff9a1e", "ffc83a", "e63a6a", "2f9a4f")),
    )
    for base, rise, cells, colours in layers:
        depth = scene.below(base, rise, cells)
        patches = np.clip(1.4 * scene.noise(5, 3, stretch=1.8) - 0.2, 0, 1)
        picture = over(picture, ramp(patches, *colours), step(-0.003, 0.003, depth))
        picture = over(picture, outline, 0.9 * step(0.010, 0.006, np.abs(depth)))
        flow = mix(flow, depth * 0.7 + 0.1 * wobble, step(-0.012, -0.008, depth))
    for foot, lean, thick in ((0.14, 0.16, 0.034), (0.90, -0.14, 0.030), (0.30, -0.05, 0.020)):
        middle = x - foot - lean * (0.9 - y) - 0.02 * np.sin(y * 12 + foot * 9)
        trunk = np.abs(middle) / (thick * (0.6 + 0.6 * y))
        inside = step(1.1, 0.9, trunk) * step(0.95, 0.93, y)
        picture = over(picture, ramp(0.5 + middle / thick / 2, "10185e", "2a4ac0", "b02a7a", "f2503a"), inside)
        flow = mix(flow, middle, inside)
    crown = 0.55 * scene.noise(5, 3) + 1.5 * np.abs(x - 0.54) - 1.3 * y
    leaves = ramp(scene.noise(8, 2), "08285a", "0a6a4a", "1fa04a", "9ac83a", "ffd23a")
    inside = step(0.58, 0.62, crown)
    picture = over(picture, leaves, inside)
    flow = mix(flow, scene.noise(5, 2) * 0.4, inside)
    angle = along(flow) + 0.7 * (scene.noise(7, 2) - 0.5)
    ground = scene.paint(picture * 0.9, picture, angle, Strokes(1600, 0.10, 0.036, 6, 0.06))
    return finish(scene.paint(ground, picture, angle, Strokes(3600, 0.050, 0.019, 6, 0.07)))


def pointillism(size: int) -> Pixels:
    """An autumn river in divided colour: every dot leans to the warm or to the cold."""
    scene = Scene(size, seed=3)
    x, y, rng = scene.x, scene.y, scene.rng
    shore = 0.64
    clouds = scene.noise(4, 4, stretch=2.5) - 0.5
    picture = ramp(y / shore + 0.7 * clouds, "4f9fc0", "8fd0cc", "f2ecd0", "fcdca8", "f8b08a")
    hills = scene.below(0.60, 0.22, 3)
    picture = over(picture, ramp(4 * hills, "b48fc0", "5f5aa8"), step(-0.004, 0.004, hills))
    reds, golds, greens = (
        ("3a1050", "b0241f", "f0681a", "ffb43a"),
        ("7a2a50", "d8781a", "fcc02a", "fff07a"),
        ("10244f", "1f6a4a", "7ab03a", "f0e05a"),
    )
    for cx, top, wide, colours in (
        (0.36, 0.40, 0.07, greens),
        (0.62, 0.38, 0.06, golds),
        (0.20, 0.20, 0.10, golds),
        (0.07, 0.30, 0.12, reds),
        (0.50, 0.34, 0.09, reds),
        (0.76, 0.12, 0.12, reds),
        (0.92, 0.26, 0.11, golds),
        (0.29, 0.47, 0.09, reds),
        (0.63, 0.50, 0.08, greens),
        (0.86, 0.50, 0.10, greens),
        (0.44, 0.54, 0.08, golds),
        (0.12, 0.53, 0.10, greens),
    ):
        tall = (shore - top) / 2
        across, down = (x - cx) / wide, (y - top) / tall - 0.9
        leaves = scene.noise(18, 4) - 0.5
        crown = 1 - np.hypot(across, np.where(down < 0, down * 1.1, down * 0.9)) + 0.5 * leaves
        trunk = step(0.10, 0.05, np.abs(across + 0.1 * np.sin(y * 30))) * step(0.3, 0.4, down)
        picture = over(picture, flat("2a1440"), trunk)
        light = 0.5 - 0.38 * across - 0.30 * down + 1.3 * leaves
        picture = over(picture, ramp(light, *colours), step(0, 0.05, crown))
    bank = scene.below(shore + 0.01, 0.03, 6)
    picture = over(picture, ramp(20 * bank, "c8c84a", "2a4a5a"), step(-0.002, 0.002, bank))
    picture = scene.mirror(picture, shore, 0.25 * (scene.noise(60, 2, stretch=6) - 0.5))
    water = step(shore - 0.002, shore + 0.002, y)
    picture = over(picture, 0.75 * picture + 0.22 * flat("3f7fd0"), water)
    glints = step(0.66, 0.76, scene.noise(80, 2, stretch=8)) * step(0.72, 0.66, np.abs(x - 0.3) + 0.3)
    picture = over(picture, flat("fff0d0"), 0.6 * glints * water)
    bank = scene.below(1.04, 0.16, 2) + 1.2 * np.clip(x - 0.5, 0, 1) ** 2
    meadow = ramp(scene.noise(10, 3), "1a2a5a", "2a6a3a", "8ab03a", "f0d84a", "f08a3a", "b03a5a")
    picture = over(picture, meadow, step(-0.004, 0.004, bank))

    sheet = Drawing(finish(picture))
    leans = np.array([[0.22, 0.06, -0.18], [-0.20, -0.02, 0.20], [0.14, 0.12, -0.16], [-0.08, -0.16, 0.06]])
    for count, radius in ((9000, 0.0085), (16000, 0.0046), (14000, 0.0034)):
        points = scene.scatter(count)
        leaning = leans[rng.integers(0, 4, len(points))] * rng.uniform(0.1, 1.1, (len(points), 1))
        inks = finish(sample(picture, points) + leaning)
        for (px, py), r, dot in zip(points, radius * rng.uniform(0.7, 1.25, len(points)), inks, strict=True):
            sheet.disc(px, py, r, tuple(dot.tolist()))
    dots = sheet.pixels()
    return finish(lit(dots, dots.mean(-1), 0.6))


def stained_glass(size: int) -> Pixels:
    """A leaded window: the rays of a sun in jewel colours over hills and a river."""
    scene = Scene(size, seed=4)
    rng = scene.rng
    sun = np.array([0.5, 0.37])

    def shoreline(across: Array) -> Array:
        down: Array = 0.64 - 0.05 * np.sin(across * 8)
        return down

    sites = [sun[None]]
    for ring, radius in enumerate(np.cumsum([0.075, 0.07, 0.075, 0.08, 0.085, 0.09, 0.095, 0.1])):
        turn = (np.arange(12 + 5 * ring) + 0.5 * (ring % 2)) / (12 + 5 * ring) * 2 * np.pi
        spots = sun + radius * np.stack([np.cos(turn), np.sin(turn)], -1)
        sites.append(spots[spots[:, 1] < shoreline(spots[:, 0]) - 0.02])
    for row in range(8):
        across = np.arange(0.04, 1, 0.062 + 0.007 * row) + 0.03 * (row % 2)
        sites.append(np.stack([across, shoreline(across) + 0.02 + 0.048 * row], -1))
    points = np.concatenate(sites)
    points += rng.normal(0, 0.006, points.shape)
    points = points[np.abs(points - 0.5).max(1) < 0.435]
    images = [np.where([axis == 0, axis == 1], line - points, points) for axis in (0, 1) for line in (0.09, 1.91)]
    points = np.concatenate([points, *images])  # sites mirrored at the frame make it straight
    points = points[np.abs(points - 0.5).max(1) < 0.58].astype(np.float32)

    cell, edge = scene.nearest(points)
    px, py = points.T
    chance = rng.random(len(points)).astype(np.float32)
    away = np.hypot(*(points - sun).T) / 0.62 + 0.20 * (chance - 0.5)
    sky = ramp(away, "fff0b0", "ffd02a", "ff9a10", "f2401a", "c8143a", "6a1f9a", "1f2fc0", "1050d8", "18a0e0", "0a2a9a")
    land = ramp((py - 0.6) * 1.7 + 0.6 * chance, "c8d82a", "5ab82a", "0f9a4a", "0a6a5a", "0f4a6a", "3a1f6a")
    water = ramp(chance, "18a8d8", "a0e8f0", "1f6fd0", "e0f4f0")
    frame = ramp(step(0.45, 0.55, chance), "a80f1f", "f2b01a")
    on_land = py > shoreline(px)
    in_river = on_land & (np.abs(px - 0.5 - 0.10 * np.sin(py * 14)) < 0.03 + 0.25 * (py - 0.62))
    on_frame = np.abs(points - 0.5).max(1) > 0.455
    colour = np.select([on_frame[:, None], in_river[:, None], on_land[:, None]], [frame, water, land], sky)

    turned = chance[cell]  # every pane is cut from its own sheet
    streaks = scene.noise(6, 6, stretch=0.25) * turned + scene.noise(6, 6, stretch=4) * (1 - turned)
    seeds = step(0.80, 0.9, scene.noise(130, 1))
    glow = 0.72 + 0.30 * step(0.0, 0.035, edge) + 0.75 * (streaks - 0.45)
    glass = colour[cell] * glow[..., None] + (0.35 * np.clip(streaks - 0.5, 0, 1) + 0.12 * seeds)[..., None]
    glass = lit(glass, 5 * streaks, 0.3)
    lead = ramp(scene.noise(60, 3), "08080c", "26262e") + 0.22 * bell(edge - 0.0012, 0.0012)[..., None]
    return finish(over(glass, lead, step(0.0062, 0.0042, edge)))


def woodblock(size: int) -> Pixels:
    """A print in Prussian blue: curling waves under a red sun, ink outlines, paper and wood grain."""
    scene = Scene(size, seed=5)
    x, y = scene.x, scene.y
    outline, foam_white = flat("12203a"), flat("f8f1de")
    grain = 0.5 * scene.noise(60, 3, stretch=0.05) + 0.5 * scene.noise(160, 2, stretch=0.02)
    solid = 0.87 + 0.13 * grain  # how well the block's ink covers the paper

    def line(distance: Field, width: float) -> Field:
        return step(width, 0.45 * width, np.abs(distance))

    picture = ramp(scene.noise(90, 3), "eadbb8", "f6ecd2")
    sky = ramp(y / 0.6, "1f4f7e", "8fb8c0", "efe0b8", "f3cf96", "ee9f6a")
    picture = over(picture, sky, 0.75 + 0.2 * grain)
    sun = scene.away(0.70, 0.27) - 0.115
    picture = over(picture, ramp(y / 0.4, "b01f1a", "d8432a", "ee7a4a"), step(0.002, -0.002, sun) * solid)
    for cx, cy, half in ((0.28, 0.16, 0.20), (0.55, 0.22, 0.28), (0.22, 0.34, 0.22), (0.86, 0.31, 0.16)):
        cloud = np.hypot(np.maximum(np.abs(x - cx) - half, 0), y - cy) - 0.016
        picture = over(picture, foam_white, step(0.002, -0.002, cloud) * 0.9)
        picture = over(picture, outline, line(cloud, 0.0022) * 0.8)
    peak = y - 0.34 - 0.55 * np.abs(x - 0.36) ** 0.92 + 0.012 * (scene.noise(14, 3) - 0.5)
    snow = y - 0.44 - 0.09 * np.abs(np.mod(x * 11, 1) - 0.5) * (1 + np.sin(x * 40))
    slope = ramp((y - 0.34) / 0.4, "1f4270", "3f7896", "b0c8b4")
    mountain = over(slope, foam_white, step(0.002, -0.002, snow))
    picture = over(picture, mountain, step(-0.002, 0.002, peak) * solid)
    picture = over(picture, outline, line(peak, 0.0032))

    inks = ramp(np.linspace(0, 1, 6), "173f74", "2f72b0", "f4ead0", "1b3360", "8fc0c8", "2a5f9a")
    for row, (base, height, period, shift) in enumerate(
        ((0.60, 0.05, 0.30, 0.05), (0.68, 0.09, 0.44, 0.30), (0.80, 0.13, 0.62, 0.02), (0.96, 0.12, 0.50, 0.36))
    ):
        wx, wy, heart = x, y, base - 0.55 * height
        for crest in np.arange(shift - period, 1 + period, period):  # each crest winds the water round itself
            dx, dy = wx - crest, wy - heart
            turn = -3.6 * bell(np.hypot(dx, dy), 0.85 * height)
            wx = crest + dx * np.cos(turn) - dy * np.sin(turn)
            wy = heart + dx * np.sin(turn) + dy * np.cos(turn)
        phase = np.abs(np.mod((wx - shift) / period + 0.5, 1) - 0.5)
        depth = wy - base + height * np.exp(-5 * phase) + 0.004 * (scene.noise(20, 2) - 0.5)
        stripe = np.sqrt(np.clip(depth, 0, 1)) * (21 - 2 * row)
        water = inks[np.mod(stripe.astype(int) + row, len(inks))]
        water = over(water, outline, line(np.mod(stripe + 0.5, 1) - 0.5, 0.10 + 0.01 * row))
        foam = depth - 0.016 - 0.010 * np.abs(np.sin(wx * 90 / (1 + 0.3 * row)))
        water = over(water, foam_white, step(0.002, -0.002, foam))
        water = over(water, outline, line(foam, 0.0022))
        picture = over(picture, water, step(-0.0015, 0.0015, depth) * solid)
        picture = over(picture, outline, line(depth, 0.0035))
    return finish(picture * (0.90 + 0.13 * scene.noise(200, 2))[..., None])


def watercolour(size: int) -> Pixels:
    """Wet washes: teal mountains in mist behind a branch of pink blossom."""
    scene = Scene(size, seed=6)
    x, y, rng = scene.x, scene.y, scene.rng
    grain = scene.noise(220, 2)

    def wash(sheet: Picture, shape: Field, colour: Picture, strength: float, edge: float = 0.005) -> Picture:
        """A translucent wash where `shape` > 0: pigment gathers at its rim and in the paper's hollows."""
        pool = 0.45 + 0.9 * scene.noise(5, 6)
        pigment = step(0, edge, shape) * (pool + 0.6 * bell(shape - edge, edge)) * (0.8 + 0.4 * grain)
        washed: Picture = sheet * (1 - strength * np.clip(pigment, 0, 1.4)[..., None] * (1 - colour))
        return washed

    wet = scene.noise(3, 6)
    paper = flat("fdf8ec")
    sky = ramp(y / 0.6 + 0.5 * (wet - 0.5), "3fb0c8", "8fd8d0", "ffd0c0", "ff9f9a", "ffb87a")
    picture = wash(paper, 0.50 - y + 0.3 * wet, sky, 0.9, 0.25)
    sun = 0.095 - scene.away(0.34, 0.27) + 0.01 * (scene.noise(6, 3) - 0.5)
    picture = wash(picture, sun, flat("ff4a3a"), 0.85)
    for base, rise, cells, light, deep in (
        (0.56, 0.26, 3, "8fd8d8", "a0b8e8"),
        (0.66, 0.24, 4, "4fc0c0", "5f9fd8"),
        (0.80, 0.24, 3, "159a9a", "2f6fb8"),
        (0.96, 0.18, 4, "08707a", "4a3f9a"),
    ):
        depth = scene.below(base, rise, cells, 5)
        tint = ramp(1.4 * scene.noise(4, 5) - 0.2, light, deep)
        mist = 0.15 + 0.85 * step(0.22, 0.0, depth)
        picture = wash(picture, depth, 1 - (1 - tint) * mist[..., None], 0.9)

    branch = scene.mask()
    buds = []
    shoots = [(np.array([1.02, 0.06]), 2.75, 0.016, 46)]
    while shoots:
        at, heading, thick, left = shoots.pop()
        for _ in range(left):
            heading += rng.normal(0, 0.16)
            ahead = at + 0.017 * np.array([np.cos(heading), np.sin(heading)])
            branch.line(np.stack([at, ahead]), thick)
            at, thick = ahead, 0.965 * thick
            if thick > 0.003 and rng.random() < 0.17:
                shoots.append((at, heading + rng.choice([-0.9, 0.8]), 0.7 * thick, left // 2))
            if rng.random() < 0.45:
                buds.append(at + rng.normal(0, 0.018, 2))
    bark = ramp(scene.noise(9, 3), "3a1f2a", "6a3a4a")
    picture = wash(picture, branch.pixels() - 0.3, bark, 0.95, 0.3)

    drops = rng.random((60, 2)).astype(np.float32)
    cell, _ = scene.nearest(drops)
    spots = 0.002 + 0.010 * rng.random(60, np.float32)[cell] ** 3 - np.hypot(x - drops[cell, 0], y - drops[cell, 1])
    picture = wash(picture, spots, flat("f2387a"), 0.7, 0.002)
    for part in range(3):
        centre = np.array(buds[part::3], np.float32)
        cell, _ = scene.nearest(centre)
        dx, dy = x - centre[cell, 0], y - centre[cell, 1]
        away = np.hypot(dx, dy)
        radius, turn = rng.uniform(0.020, 0.040, len(centre)), rng.uniform(0, 3, len(centre))
        five = np.abs(np.cos(2.5 * np.arctan2(dy, dx) + turn[cell])) ** 0.6
        petals = (radius[cell] * (0.62 + 0.38 * five) - away).astype(np.float32)
        picture = over(picture, paper, 0.4 * step(0, 0.003, petals))  # reserved before the sky was laid
        picture = wash(picture, petals, ramp(away / 0.034, "e8307a", "ff8fb4", "ffc0d4"), 0.85, 0.003)
        picture = over(picture, flat("b8143a"), step(0.0045, 0.003, away))
    return finish(picture * (0.93 + 0.09 * grain)[..., None])


def ink(size: int) -> Pixels:
    """Pen and ink on cream paper: hatched ridges of firs in mist, a red sun."""
    scene = Scene(size, seed=7)
    y, rng = scene.y, scene.rng
    middle = np.array([0.62, 0.27], np.float32)
    sun = scene.away(*middle)
    drift = scene.noise(3, 4, stretch=2.5)
    tone = 0.50 - 0.5 * y + 1.5 * (drift - 0.5) - 0.35 * bell(sun, 0.22)
    tone = np.where(sun < 0.118, 0, tone)
    angle = along(y + 0.10 * drift)
    ground = np.zeros((size, size), np.float32)  # which ridge a pixel belongs to; strokes stay on theirs
    for number, (base, rise, cells, dark, tilt) in enumerate(
        (
            (0.58, 0.30, 4, 0.55, 1.0),
            (0.70, 0.26, 3, 0.75, -0.9),
            (0.84, 0.26, 4, 0.95, 0.8),
            (1.0, 0.24, 3, 1.15, -1.0),
        ),
        start=1,
    ):
        spires = np.clip(2.4 * scene.profile(34 - 4 * number, 3) - 0.9, 0, 1)
        depth = scene.below(base, rise, cells, 4) + 0.022 * number * spires
        form = scene.noise(5, 3)
        inside = depth > 0
        tone = np.where(inside, dark * step(0.30, 0.0, depth) + 0.9 * (form - 0.55), tone)
        angle = np.where(inside, tilt + 0.9 * (form - 0.5), angle)
        ground = np.where(inside, number, ground).astype(np.float32)

    sheet = scene.mask()
    for turn, threshold, count in ((0.0, 0.06, 17000), (0.8, 0.40, 15000), (-0.8, 0.66, 13000), (1.57, 0.86, 12000)):
        start = scene.scatter(count)
        depth_of_tone = sample(tone, start)
        keep = depth_of_tone > threshold + rng.normal(0, 0.05, len(start))
        paths = trace(start[keep], angle + turn, 0.034, 6)
        own = sample(ground, paths) == sample(ground, start[keep])[:, None]
        for path, inside, weight in zip(paths, own, depth_of_tone[keep], strict=True):
            sheet.line(path[inside], 0.0006 + 0.0008 * min(1, weight))
    red = scene.mask()
    start = scene.scatter(11000)
    for path in trace(start[np.hypot(*(start - middle).T) < 0.108], along(sun), 0.04, 6):
        red.line(path, 0.0016)
    picture = ramp(scene.noise(3, 7, gain=0.7), "e9d8b4", "f8eed6")
    picture = over(picture, flat("c8281f"), red.pixels())
    return finish(over(picture, flat("16121f"), sheet.pixels()))


def golden_hour(size: int) -> Pixels:
    """A photograph-like evening: clouds lit from below over a warm sea."""
    scene = Scene(size, seed=8)
    x, y = scene.x, scene.y
    horizon, sun_x, sun_y = 0.64, 0.34, 0.59
    height = np.clip(horizon - y, 0, 1)
    sun = scene.away(sun_x, sun_y)
    sky = ramp(1 - height / horizon, "1f2f66", "3f4f8a", "8a6a94", "d8806a", "f6a452", "ffc86a")
    sky = sky + 0.8 * bell(sun, 0.33)[..., None] * flat("a83a0a") + 0.4 * bell(sun, 0.10)[..., None] * flat("ffa050")

    # A flat layer of cloud in perspective: far rows of the noise crowd towards the horizon.
    cloud = scene.noise(5, 8, gain=0.55)
    reach = 0.12 / (height + 0.12)
    plane = np.stack([(x - 0.3) * 3.4 * reach, 2.6 * reach], -1)
    density = between(cloud, plane)
    shade = between(cloud, plane + np.stack([0.02 * (sun_x - x), np.full_like(x, 0.016)], -1))
    cover = step(0.38, 0.66, density) * step(0.0, 0.06, height)
    light = 0.45 + 4.5 * (density - shade) + 0.4 * bell(sun, 0.45) - 0.25 * cover
    sky = over(sky, ramp(light, "3a3458", "6f4a6a", "c85a4a", "ff9440", "ffd890"), 0.93 * cover)
    for base, rise, cells, shore, top in (
        (0.69, 0.10, 3, 0.20, ("f0a070", "c8806e")),
        (0.70, 0.12, 4, 0.16, ("9a5f64", "7a4a5f")),
        (0.71, 0.10, 5, 0.13, ("4a2f4a", "2f2240")),
    ):
        land = scene.below(base, rise, cells, 7) + shore * step(0.35, 1.0, x)
        sky = over(sky, ramp(7 * land, *top), step(-0.001, 0.001, land))

    swell = scene.noise(90, 4, stretch=9) - 0.5
    far = np.clip((y - horizon) / (1 - horizon), 0, 1)
    sea = scene.mirror(sky, horizon, swell) * (0.82 - 0.3 * far[..., None]) * flat("f2d0c0")
    glade = bell(x - sun_x, 0.03 + 0.14 * far) * step(-0.05, 0.2, swell)
    sea = over(sea, flat("ffd48a"), 0.85 * glade)
    sky = over(sky, flat("fffbe4"), np.clip(step(0.036, 0.030, sun) + 0.6 * bell(sun, 0.06), 0, 1))
    picture = over(sky, sea, step(horizon - 0.001, horizon + 0.001, y))
    return finish(picture + 0.02 * (scene.noise(size, 1) - 0.5)[..., None])


def blue_hour(size: int) -> Pixels:
    """A photograph-like night: snow peaks and firs round a moonlit lake."""
    scene = Scene(size, seed=18)
    x, y, rng = scene.x, scene.y, scene.rng
    shore = 0.66
    moon = scene.away(0.26, 0.17)
    picture = ramp(y / shore, "050d26", "0c2450", "1f4a86", "6f9fcc", "c0d4e4")
    veil = scene.noise(3, 7, stretch=3)
    picture = over(picture, flat("9fc0e4"), 0.35 * step(0.5, 1.0, veil))
    stars = scene.mask()
    for px, py in scene.scatter(700):
        stars.disc(px, py, 0.0022 * rng.random() ** 3)
    picture = picture + (stars.pixels() * step(0.5, 0.1, y))[..., None]
    picture = picture + 0.45 * (bell(moon, 0.11) + 0.5 * bell(moon, 0.3))[..., None] * flat("a8c8f0")
    picture = over(picture, ramp(scene.noise(30, 4), "d8e0e8", "fffdf0"), step(0.042, 0.039, moon))

    # The mountains are a height map, seen from the lake: for each column, the nearest row that hides a pixel.
    rows = np.linspace(0, 1, 2 * size, dtype=np.float32)[:, None]
    away = 1 + 2.5 * rows
    peaks = between(scene.ridges(3), np.stack(np.broadcast_arrays(0.3 + x[:1] * away / 3.5, 1.2 * rows), -1))
    peaks = peaks * step(0.0, 0.6, rows) * (0.55 + 0.7 * bell(x[:1] - 0.68, 0.3))
    skyline = np.minimum.accumulate(shore + 0.01 * (1 - rows) - 1.5 * peaks / away, axis=0)
    seen = np.stack([np.searchsorted(-skyline[:, k], -y[:, k]) for k in range(size)], 1)
    found = np.minimum(seen, 2 * size - 1), np.arange(size)[None]
    slope = (np.gradient(peaks, axis=1) * size / away)[found]
    steep = np.hypot(slope, (np.gradient(peaks, axis=0) * size)[found])
    crags = scene.noise(34, 5, gain=0.7)
    snow = ramp(0.42 + 0.42 * slope, "0a1434", "24467e", "86aed8", "f0f6fc")
    rock = ramp(0.45 + 0.45 * slope + 0.5 * (crags - 0.5), "0a1230", "16244a", "46608c")
    snow = over(snow, rock, 0.9 * step(0.66, 0.76, crags + 0.18 * np.clip(steep - 0.5, 0, 1.2)))
    snow = over(snow, flat("7fa6d0"), 0.45 * rows[found[0], 0])
    picture = np.where((seen < 2 * size)[..., None], snow, picture)
    wood = scene.below(shore + 0.006, 0.05, 4, 2) + 0.02 * scene.profile(110, 2) - 0.01
    picture = over(picture, ramp(20 * wood, "1a3056", "0a1630"), step(-0.001, 0.001, wood))
    far = np.clip((y - shore) / (1 - shore), 0, 1)
    lake = scene.mirror(picture, shore, 0.5 * scene.noise(120, 3, stretch=14) - 0.25) * (0.85 - 0.35 * far)[..., None]
    picture = np.where((y < shore)[..., None], picture, lake)

    firs = scene.mask()
    for foot in rng.uniform(-0.02, 1.02, 70):
        tall = rng.uniform(0.06, 0.13) + 0.9 * np.abs(foot - 0.5) ** 2 * rng.uniform(0.4, 1.2)
        level = np.repeat(np.linspace(0, 1, 16), 2)
        wide = 0.17 * tall * level * np.tile([1, 0.5], 16) * rng.uniform(0.75, 1.2, 32) + 0.0008
        rise = 1.02 - tall * (1 - level)
        firs.polygon(np.stack([np.r_[foot - wide, (foot + wide)[::-1]], np.r_[rise, rise[::-1]]], -1))
    return finish(over(picture, flat("030814"), firs.pixels()))


def gilded(size: int) -> Pixels:
    """Gold leaf and ornament: a tree of spirals over a meadow of rings."""
    scene = Scene(size, seed=10)
    x, y, rng = scene.x, scene.y, scene.rng
    leaf = sample(rng.random((9, 9), np.float32), np.stack([x, y], -1))
    gold = scene.noise(5, 7, gain=0.65) + 0.2 * (leaf - 0.5)
    picture = ramp(gold, "6a3f10", "b07a1f", "d8a63a", "f0cc6a", "fff0b8")
    sheet = Drawing(finish(lit(picture, scene.noise(40, 4), 1.5)))
    jewels = ["#16161f", "#f2ecd8", "#98202c", "#1a6a7a", "#e0622a", "#3f7a3a", "#5a2f7a", "#f0c04a", "#2a3f9a"]
    for px, py in scene.scatter(2500):
        sheet.disc(px, py, 0.0008 + 0.0022 * rng.random() ** 2, ("#ffeeb0", "#6e4416")[rng.integers(2)])

    t = np.linspace(0, 1, 160)

    def spiral(start: Array, heading: float, length: float, curl: float) -> Array:
        turned = heading + curl * (0.9 * t + 11.5 * t**4)
        return start + np.cumsum(np.stack([np.cos(turned), np.sin(turned)], -1), 0) * length / len(t)

    trunk = np.stack([0.5 + 0.02 * np.sin(6 * t), 1.0 - 0.55 * t], -1)
    branches = [(trunk, 0.07)]
    for curl, heading, height in ((-1, -1.75, 158), (1, -1.40, 158), (-1, -2.6, 100), (1, -0.5, 70)):
        branches.append((spiral(trunk[height], heading, 0.95, curl), 0.036))
    taken = np.concatenate([path[::4] for path, _ in branches])
    for length in np.linspace(0.60, 0.12, 2500):  # large ones first, small ones where there is room
        parent, thick = branches[rng.integers(len(branches))]
        root = rng.integers(15, 115)
        curl = rng.choice([-1.0, 1.0])
        ahead = parent[root + 1] - parent[root]
        path = spiral(parent[root], np.arctan2(ahead[1], ahead[0]) - 0.5 * curl, length, curl)
        tail = path[32::4]
        if tail.min() < 0.02 or tail[:, 0].max() > 0.98 or tail[:, 1].max() > 0.85:
            continue
        if np.hypot(*(tail[:, None] - taken).transpose(2, 0, 1)).min() > 0.017:
            branches.append((path, max(0.009, min(0.8 * thick, 0.05 * length))))
            taken = np.concatenate([taken, path[::4]])
    for share, colour in ((1.0, "#2e180c"), (0.62, "#ce9638"), (0.22, "#542e14")):
        for path, thick in branches:
            for (px, py), width in zip(path, share * thick * (1 - 0.7 * t), strict=True):
                sheet.disc(px, py, width / 2, colour)
    for px, py in scene.scatter(900):
        if py > 0.86 + 0.03 * np.sin(px * 9):
            radius = rng.uniform(0.008, 0.026)
            for share, pick in zip((1, 0.74, 0.46, 0.2), rng.permutation(len(jewels)), strict=False):
                sheet.disc(px, py, radius * share, jewels[pick])
    picture = sheet.pixels()
    return finish(lit(picture, picture.mean(-1), 0.4))


STYLES: dict[str, Callable[[int], Pixels]] = {
    "starry": starry,
    "fauve": fauve,
    "pointillism": pointillism,
    "stained_glass": stained_glass,
    "woodblock": woodblock,
    "watercolour": watercolour,
    "ink": ink,
    "gilded": gilded,
    "golden_hour": golden_hour,
    "blue_hour": blue_hour,
}


def write_styles(folder: Path, size: int = 768) -> list[Path]:
    """Paint every style into `folder` as a square JPEG; returns the paths, in the order of `STYLES`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in STYLES.items():
        paths.append(folder / f"{name}.jpg")
        Image.fromarray(picture(size)).save(paths[-1], quality=95)
    return paths
