"""Specimens: images of the kinds that people send, drawn from MNIST's digits.

Each kind takes an image of MNIST and a generator of random numbers, and returns a sheet: grey
pixels of any size, most of them dark ink on light paper.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Rng = np.random.Generator
Draw = Callable[[Grey, Rng], Grey]


def enlarged(image: Grey, factor: float) -> NDArray[np.float64]:
    """Return the ink of a digit, cut out and enlarged, as fractions in [0, 1]."""
    rows, columns = np.nonzero(image > 60)
    cut = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    size = [max(3, round(length * factor)) for length in reversed(cut.shape)]
    large = cv2.resize(cut, size, interpolation=cv2.INTER_CUBIC).astype(np.float64)
    # As sharp as a pen's edge, however much it is enlarged.
    return np.clip((large - 96) / 64, 0, 1)


def on_sheet(
    ink: NDArray[np.float64], height: int, width: int, rng: Rng, *, margin: float = 0.12
) -> NDArray[np.float64]:
    """Return a larger sheet with ink somewhere around its middle."""
    sheet = np.zeros((height, width))
    free = height - ink.shape[0], width - ink.shape[1]
    top, left = (
        round(rng.uniform(min(margin * side, room / 2), max(room - margin * side, room / 2)))
        for side, room in zip((height, width), free, strict=True)
    )
    sheet[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return sheet


def printed(ink: NDArray[np.float64], rng: Rng, *, noise: float = 2.0) -> Grey:
    """Return ink as dark pixels on light paper."""
    paper, darkness = rng.uniform(225, 255), rng.uniform(0.7, 1.0)
    sheet = paper * (1 - darkness * np.clip(ink, 0, 1))
    sheet += rng.normal(0, rng.uniform(0, noise) + 1e-9, sheet.shape)
    return np.clip(np.rint(sheet), 0, 255).astype(np.uint8)


def margin(image: Grey, rng: Rng) -> Grey:
    """Return a digit with white around it: what is read well already."""
    ink = enlarged(image, rng.uniform(3, 8))
    height, width = (round(max(ink.shape) * rng.uniform(1.3, 1.8)) for _ in range(2))
    return printed(on_sheet(ink, height, width, rng), rng)


def tight_crop(image: Grey, rng: Rng, *, share: float = 0.0, is_light: bool | None = None) -> Grey:
    """Return what a bounding box cuts out, with a margin of some share of its longer side."""
    ink = enlarged(image, rng.uniform(4, 12))
    around = round(max(ink.shape) * share)
    sheet = printed(np.pad(ink, around), rng)
    if is_light is None:
        is_light = bool(rng.integers(2))
    return 255 - sheet if is_light else sheet


def tight_crop_margin(image: Grey, rng: Rng) -> Grey:
    """Return a crop with a margin of 5 %."""
    return tight_crop(image, rng, share=0.05)


def _cell(image: Grey, rng: Rng) -> tuple[NDArray[np.float64], float]:
    """Return the ink of a cell of a form, and its printed lines' darkness."""
    ink = enlarged(image, rng.uniform(3, 5.5))
    height, width = (round(max(ink.shape) * rng.uniform(1.35, 1.9)) for _ in range(2))
    return on_sheet(ink * rng.uniform(0.6, 1), height, width, rng, margin=0.1), rng.uniform(0.5, 1)


def _line(
    sheet: NDArray[np.float64],
    start: tuple[float, float],
    end: tuple[float, float],
    darkness: float,
    thickness: int,
) -> None:
    drawn = np.zeros(sheet.shape, np.uint8)
    points = [tuple(round(16 * value) for value in point) for point in (start, end)]
    cv2.line(drawn, points[0], points[1], 255, thickness, cv2.LINE_AA, shift=4)
    np.maximum(sheet, drawn / 255 * darkness, out=sheet)


def _borders(sheet: NDArray[np.float64], sides: str, darkness: float, rng: Rng) -> None:
    height, width = sheet.shape
    inset, thickness = rng.uniform(0, 0.06) * max(sheet.shape), int(rng.integers(1, 5))
    tilt = rng.uniform(-0.015, 0.015)
    for side in sides:
        x = {"l": inset, "r": width - 1 - inset}.get(side)
        y = {"t": inset, "b": height - 1 - inset}.get(side)
        if y is not None:
            _line(
                sheet, (0, y - tilt * width / 2), (width, y + tilt * width / 2), darkness, thickness
            )
        if x is not None:
            _line(
                sheet,
                (x + tilt * height / 2, 0),
                (x - tilt * height / 2, height),
                darkness,
                thickness,
            )


def boxed(image: Grey, rng: Rng) -> Grey:
    """Return a cell of a form with its four printed borders."""
    sheet, darkness = _cell(image, rng)
    _borders(sheet, "lrtb", darkness, rng)
    return printed(sheet, rng)


def two_borders(image: Grey, rng: Rng) -> Grey:
    """Return a cell of a form with two of its borders."""
    sheet, darkness = _cell(image, rng)
    _borders(sheet, ["lb", "lt", "rb", "rt", "lr", "tb"][rng.integers(6)], darkness, rng)
    return printed(sheet, rng)


def inner_box(image: Grey, rng: Rng) -> Grey:
    """Return a box with paper around it and a digit in it."""
    sheet, darkness = _cell(image, rng)
    around = round(max(sheet.shape) * rng.uniform(0.08, 0.2))
    sheet = np.pad(sheet, around)
    corner = around - 1, around - 1
    other = sheet.shape[1] - around, sheet.shape[0] - around
    drawn = np.zeros(sheet.shape, np.uint8)
    cv2.rectangle(drawn, corner, other, 255, int(rng.integers(1, 4)))
    return printed(np.maximum(sheet, drawn / 255 * darkness), rng)


def comb(image: Grey, rng: Rng) -> Grey:
    """Return a field of a comb: a base line, and low walls at both sides."""
    sheet, darkness = _cell(image, rng)
    height, width = sheet.shape
    _borders(sheet, "b", darkness, rng)
    wall = height * rng.uniform(0.15, 0.4)
    for x in (rng.uniform(0, 0.05) * width, width - 1 - rng.uniform(0, 0.05) * width):
        _line(sheet, (x, height), (x, height - wall), darkness, int(rng.integers(1, 4)))
    return printed(sheet, rng)


def ruled(image: Grey, rng: Rng) -> Grey:
    """Return a digit on ruled paper, its foot across a line."""
    sheet, darkness = _cell(image, rng)
    height, width = sheet.shape
    rows = np.flatnonzero(sheet.any(axis=1))
    base = rng.uniform(rows[-1] - 0.1 * len(rows), min(height - 3, rows[-1] + 4))
    tilt, thickness = rng.uniform(-0.02, 0.02), int(rng.integers(1, 4))
    for y in (base, base - (1.15 + rng.uniform(0, 0.2)) * len(rows)):
        _line(sheet, (0, y - tilt * width), (width, y + tilt * width), darkness, thickness)
    return printed(sheet, rng)


def squared(image: Grey, rng: Rng) -> Grey:
    """Return a digit on squared paper, the lines fainter than the pen."""
    sheet, darkness = _cell(image, rng)
    height, width = sheet.shape
    step = max(sheet.shape) * rng.uniform(0.2, 0.5)
    thickness = int(rng.integers(1, 3))
    tilt = rng.uniform(-0.015, 0.015)
    for x in np.arange(rng.uniform(0, step), width, step):
        _line(sheet, (x + tilt * height, 0), (x - tilt * height, height), darkness * 0.7, thickness)
    for y in np.arange(rng.uniform(0, step), height, step):
        _line(sheet, (0, y - tilt * width), (width, y + tilt * width), darkness * 0.7, thickness)
    return printed(sheet, rng)


def underlined(image: Grey, rng: Rng) -> Grey:
    """Return a digit with a stroke below it that ends before the edges do."""
    ink = enlarged(image, rng.uniform(3, 5.5))
    height, width = (round(max(ink.shape) * rng.uniform(1.6, 2.0)) for _ in range(2))
    sheet = on_sheet(ink, height, width, rng, margin=0.2)
    rows, columns = (np.flatnonzero(sheet.any(axis=axis)) for axis in (1, 0))
    reach = rng.uniform(0.1, 0.25) * width
    y = min(rows[-1] + rng.uniform(0.08, 0.16) * len(rows), height - 3)
    tilt = rng.uniform(-0.04, 0.04)
    left, right = max(2, columns[0] - reach), min(width - 3, columns[-1] + reach)
    _line(sheet, (left, y - tilt * width), (right, y + tilt * width), 1, int(rng.integers(2, 6)))
    return printed(sheet, rng)


def skeleton(image: Grey) -> NDArray[np.bool_]:
    """Return the middle of strokes, a pixel wide (Zhang and Suen 1984)."""
    ink = np.pad(image > 0, 1)
    while True:
        before = ink.sum()
        for first in (True, False):
            n = [
                np.roll(ink, shift, axis=(0, 1))
                for shift in ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
            ]
            count = sum(one.astype(int) for one in n)
            turns = sum((~n[k] & n[(k + 1) % 8]).astype(int) for k in range(8))
            up, right, down, left = n[0], n[2], n[4], n[6]
            open_side = (
                ~(up & right & down) & ~(right & down & left)
                if first
                else ~(up & right & left) & ~(up & down & left)
            )
            ink = ink & ~((count >= 2) & (count <= 6) & (turns == 1) & open_side)
        if ink.sum() == before:
            return ink[1:-1, 1:-1]


def thin(image: Grey, rng: Rng) -> Grey:
    """Return a digit drawn by a pen that is thin beside the size of the image."""
    middle = skeleton((enlarged(image, 4) > 0.5).astype(np.uint8))
    points = np.argwhere(middle)
    factor = rng.uniform(2.5, 9)
    around = rng.uniform(0.2, 0.6) * max(middle.shape) * factor
    height, width = (round(length * factor + 2 * around) for length in middle.shape)
    drawn = np.zeros((height, width), np.uint8)
    thickness = int(rng.integers(1, 1 + max(2, round(factor))))
    for y, x in points:
        for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1), (1, -1)):
            other = y + dy, x + dx
            inside = 0 <= other[0] < middle.shape[0] and 0 <= other[1] < middle.shape[1]
            if inside and middle[other]:
                ends = [
                    (round(b * factor + around), round(a * factor + around))
                    for a, b in ((y, x), other)
                ]
                cv2.line(drawn, ends[0], ends[1], 255, thickness, cv2.LINE_AA)
    sheet = printed(drawn / 255 * rng.uniform(0.5, 1), rng)
    return 255 - sheet if rng.integers(3) == 0 else sheet


def faint(image: Grey, rng: Rng) -> Grey:
    """Return a digit of which a part was written with less pressure."""
    ink = enlarged(image, rng.uniform(3, 6))
    y, x = np.mgrid[-1 : 1 : ink.shape[0] * 1j, -1 : 1 : ink.shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    ink *= np.clip(0.65 + 0.6 * along, rng.uniform(0.22, 0.4), 1)
    height, width = (round(max(ink.shape) * rng.uniform(1.3, 1.8)) for _ in range(2))
    return printed(on_sheet(ink, height, width, rng), rng)


def specks(image: Grey, rng: Rng) -> Grey:
    """Return a digit among dust."""
    ink = enlarged(image, rng.uniform(3, 6))
    height, width = (round(max(ink.shape) * rng.uniform(1.4, 1.9)) for _ in range(2))
    sheet = on_sheet(ink, height, width, rng)
    return printed(np.maximum(sheet, _dust(sheet.shape, rng)), rng)


def _dust(shape: tuple[int, int], rng: Rng) -> NDArray[np.float64]:
    drawn = np.zeros(shape, np.uint8)
    for _ in range(rng.integers(3, 15)):
        at = int(rng.integers(shape[1])), int(rng.integers(shape[0]))
        size = max(1, round(max(shape) * rng.uniform(0.004, 0.016)))
        axes = size, max(1, round(size * rng.uniform(0.4, 1)))
        cv2.ellipse(drawn, at, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    return drawn / 255


def neighbours(image: Grey, rng: Rng) -> Grey:
    """Return a digit with a part of the one beside it."""
    ink = enlarged(image, rng.uniform(3, 6))
    height, width = (round(max(ink.shape) * rng.uniform(1.4, 1.8)) for _ in range(2))
    sheet = on_sheet(ink, height, width, rng, margin=0.2)
    columns = np.flatnonzero(sheet.any(axis=0))
    other = enlarged(np.rot90(image, 2).copy(), ink.shape[0] / 20)[:height]
    room = max(3, min(round(columns[0] * 0.6), other.shape[1] // 3))
    top = int(rng.integers(0, height - other.shape[0] + 1))
    part = other[:, -room:]
    sheet[top : top + len(part), : part.shape[1]] = part
    return printed(sheet, rng)


def tiny8(image: Grey, rng: Rng) -> Grey:
    """Return a digit of 8×8 pixels with 17 levels of grey."""
    ink = enlarged(image, 4)
    side = max(ink.shape)
    sheet = np.zeros((side, side))
    left = (side - ink.shape[1]) // 2
    sheet[: ink.shape[0], left : left + ink.shape[1]] = ink
    small = np.rint(cv2.resize(sheet, (8, 8), interpolation=cv2.INTER_AREA) * 16) / 16
    levels = np.rint(small * 255).astype(np.uint8)
    return 255 - levels if rng.integers(2) else levels


def tiny16(image: Grey, rng: Rng) -> Grey:
    """Return a digit of 16×16 pixels with one bit each."""
    ink = enlarged(image, 4)
    side = round(max(ink.shape) * rng.uniform(1.0, 1.3))
    small = cv2.resize(
        on_sheet(ink, side, side, rng, margin=0), (16, 16), interpolation=cv2.INTER_AREA
    )
    levels = np.where(small > 0.45, 255, 0).astype(np.uint8)
    return 255 - levels if rng.integers(2) else levels


def photograph(image: Grey, rng: Rng) -> Grey:
    """Return a digit under uneven light, out of focus, with a shadow across the paper."""
    ink = enlarged(image, rng.uniform(3, 9))
    height, width = (round(max(ink.shape) * rng.uniform(1.2, 2.2)) for _ in range(2))
    sheet = on_sheet(ink, height, width, rng, margin=0.08)
    blurred = cv2.GaussianBlur(sheet, (0, 0), rng.uniform(0.5, max(height, width) / 60))
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    light = 1 - rng.uniform(0.05, 0.25) * along - rng.uniform(0, 0.15) * along**2
    edge = (along - rng.uniform(-0.5, 0.5)) * rng.uniform(3, 8)
    light *= 1 - rng.uniform(0, 0.2) / (1 + np.exp(-edge))
    lit = rng.uniform(120, 230) * light * (1 - rng.uniform(0.45, 0.85) * np.clip(blurred, 0, 1))
    lit += rng.normal(0, rng.uniform(1, 5), lit.shape)
    photographed: Grey = np.clip(np.rint(lit), 0, 255).astype(np.uint8)
    return photographed


def paint28(image: Grey, rng: Rng) -> Grey:
    """Return a drawing of 28×28 pixels, off the centre, with a pen of one to four pixels."""
    middle = skeleton((enlarged(image, 4) > 0.5).astype(np.uint8)).astype(np.uint8)
    side = int(rng.integers(14, 25))
    scale = side / max(middle.shape)
    points = np.argwhere(middle) * scale
    drawn = np.zeros((28, 28), np.uint8)
    free = 27 - points.max(axis=0)
    corner = rng.uniform(0, np.maximum(free, 0.01))
    for y, x in np.rint(points + corner).astype(int):
        cv2.circle(drawn, (int(x), int(y)), 0, 255, -1)
    pen = int(rng.integers(1, 5))
    return 255 - cv2.dilate(drawn, np.ones((pen, pen), np.uint8)).astype(np.uint8)


def field(images: NDArray[np.uint8], rng: Rng, *, touching: bool = False) -> Grey:
    """Return digits on one line; if they may touch, one in five of them touches the one before."""
    factor = rng.uniform(2, 5)
    parts = [enlarged(image, factor) for image in images]
    unit = round(factor)
    height = max(len(part) for part in parts) + 8 * unit
    sheet = np.zeros((height, sum(part.shape[1] + 8 * unit for part in parts) + 12 * unit))
    left, offset = 6 * unit, int(rng.integers(5))
    for place, part in enumerate(parts):
        if place and touching and place % 5 == offset:
            left -= 3 * unit + 1
        top = (height - len(part)) // 2
        spot = sheet[top : top + len(part), left : left + part.shape[1]]
        np.maximum(spot, part, out=spot)
        left += part.shape[1] + round(rng.uniform(2, 5) * factor)
    return printed(sheet[:, : left + 5 * unit], rng)


def blank_specks(image: Grey, rng: Rng) -> Grey:
    """Return paper with dust on it and nothing else; the digit only tells its size."""
    side = round(image.shape[0] * rng.uniform(2, 6))
    drawn = np.zeros((side, side), np.uint8)
    for _ in range(rng.integers(1, 12)):
        at = int(rng.integers(side)), int(rng.integers(side))
        cv2.circle(drawn, at, max(0, round(side * rng.uniform(0, 0.02))), 255, -1)
    sheet = printed(drawn / 255, rng)
    return 255 - sheet if rng.integers(2) else sheet


KINDS: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        margin,
        tight_crop,
        tight_crop_margin,
        boxed,
        two_borders,
        inner_box,
        comb,
        ruled,
        squared,
        underlined,
        thin,
        faint,
        specks,
        neighbours,
        tiny8,
        tiny16,
        photograph,
        paint28,
    )
}
"""Those that hold one digit."""
