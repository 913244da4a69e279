"""Draws what was measured as SVG, so that a plot needs no library and can be read in a diff."""

import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.series import Series

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 360, 70, 40, 110, 45
COLOURS = {"vestibule": "#1f6feb", "baseline": "#d1242f", "fastapi": "#57606a", "asgi": "#8c959f"}
Curve = tuple[str, list[tuple[float, float]]]


def write_plots(folder: Path, series: Sequence[Series]) -> None:
    """Write a plot of requests a second over connections for each route."""
    for route in dict.fromkeys(one.route for one in series):
        curves: dict[str, list[tuple[float, float]]] = {}
        for one in sorted((each for each in series if each.route == route), key=lambda each: each.connections):
            curves.setdefault(one.system, []).append((one.connections, max(1.0, one.middle("requests_per_s"))))
        title = f"{route}: requests a second over connections, medians, both axes logarithmic"
        draw(folder / f"load-{route}.svg", title, list(curves.items()))


def draw(path: Path, title: str, curves: Sequence[Curve]) -> None:
    """Write one plot; all values are over 0, and both axes are logarithmic."""
    points = [point for _, curve in curves for point in curve]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = 10 ** math.floor(_log(min(y for _, y in points))), 10 ** math.ceil(_log(max(y for _, y in points)))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (_log(x) - _log(left)) / ((_log(right) - _log(left)) or 1)
        up = (_log(y) - _log(low)) / ((_log(high) - _log(low)) or 1)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="22" font-size="13">{title}</text>',
    ]
    for power in range(round(_log(low)), round(_log(high)) + 1):
        _, y = place(left, 10**power)
        parts.append(f'<path d="M{LEFT} {y:.0f}H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{_short(10**power)}</text>')
    for x in sorted({x for x, _ in points}):
        across, _ = place(x, low)
        parts.append(f'<text x="{across:.0f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{_short(x)}</text>')
    for number, (name, curve) in enumerate(curves):
        colour = COLOURS.get(name, ["#1f6feb", "#d1242f", "#2da44e", "#8250df", "#bf8700"][number % 5])
        placed = [place(x, y) for x, y in curve]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed]
        x, y = placed[-1]
        parts.append(f'<text x="{x + 8:.0f}" y="{y + 4:.0f}" fill="{colour}">{name}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>", ""]))


def _log(value: float) -> float:
    return math.log10(value)


def _short(value: float) -> str:
    for limit, sign in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{sign}"
    return f"{value:g}"
