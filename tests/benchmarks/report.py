"""Tables and a picture of what was measured."""

import statistics
from collections.abc import Mapping
from html import escape

from .contest import BENCHMARKS, OURS
from .runner import Figures, Results

BAR = 360
ROW = 18


def table(name: str, peers: Mapping[str, Figures]) -> str:
    """One benchmark as a Markdown table: medians, with the lowest and the highest round in brackets. `x`: by how much the peer takes more
    than this library does, of the first figure."""
    benchmark = BENCHMARKS[name]
    ours = statistics.median(peers[OURS][benchmark.shown]) if OURS in peers else None
    lines = [
        f"**{name}: {benchmark.title}**",
        "",
        f"| | {' | '.join(benchmark.columns.values())} | x ours |",
        f"|---{'|---:' * (len(benchmark.columns) + 1)}|",
    ]
    for peer, figures in peers.items():
        cells = [_cell(figures.get(figure, [])) for figure in benchmark.columns]
        times = statistics.median(figures[benchmark.shown]) / ours if ours else float("nan")
        lines.append(f"| {peer} | {' | '.join(cells)} | {times:.2f} |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    middle = _number(statistics.median(values))
    return (
        middle
        if len(values) == 1 or min(values) == max(values)
        else f"{middle} ({_number(min(values))}-{_number(max(values))})"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def picture(results: Results) -> str:
    """An SVG: for each benchmark a bar for each peer, its length the logarithm of the figure over the smallest of the table."""
    parts: list[str] = []
    top = 10
    for name, peers in results.items():
        benchmark = BENCHMARKS[name]
        title = f"{name}: {benchmark.title}, {benchmark.columns[benchmark.shown]} (less is better, log scale)"
        parts.append(f'<text x="10" y="{top + 14}" font-weight="bold">{escape(title)}</text>')
        top += 22
        middles = {peer: statistics.median(figures[benchmark.shown]) for peer, figures in peers.items()}
        least, most = min(middles.values()), max(middles.values())
        for peer, value in sorted(middles.items(), key=lambda each: each[1]):
            parts.append(_bar(top, peer, value, _length(value, least, most)))
            top += ROW
        top += 14
    style = 'font-family="sans-serif" font-size="12"'
    ground = '<rect width="100%" height="100%" fill="white"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{top}" {style}>{ground}{"".join(parts)}</svg>\n'
    )


def _length(value: float, least: float, most: float) -> float:
    import math

    whole = math.log(most / least * 2)
    return BAR * math.log(value / least * 2) / whole if whole else BAR


def _bar(top: int, peer: str, value: float, length: float) -> str:
    colour = "#c2410c" if peer.startswith(OURS) else "#94a3b8"
    return (
        f'<text x="260" y="{top + 12}" text-anchor="end">{escape(peer)}</text>'
        f'<rect x="268" y="{top + 2}" width="{length:.0f}" height="{ROW - 5}" fill="{colour}"/>'
        f'<text x="{274 + length:.0f}" y="{top + 12}">{_number(value)}</text>'
    )
