"""Tables and a picture of what was measured."""

import math
import statistics
from collections.abc import Mapping
from html import escape

from .contest import BENCHMARKS, COUNTS, MORE_IS_BETTER, NOT_COMPARED, OURS, TALKERS, Peer
from .runner import Figures, Results
from .targets import Target, judged

PICTURED = ("B1", "B2", "B3", "B4-50", "B5-async", "B5-sync", "B6-own", "B7-ask", "B7-life", "B8", "B9", "B11-one")
COLUMNS = (10.0, 610.0)
"""The left edges of the picture's columns, in pixels, as the sizes below."""
WIDTH, NAMES, BAR, ROW, HEAD, GAP = 1200, 250, 260, 17, 36, 18
SUMMARY = ("B1", "B2", "B3", "B4-50", "B4-500", "B5-async", "B5-sync", "B9")


def table(name: str, peers: Mapping[str, Figures], said: str = "") -> str:
    """One benchmark as a Markdown table: medians, with the lowest and the highest round in brackets.

    Bold: where a peer is better than the row of ours that it is compared with. `x ours`: how many times as much as that row it takes, of
    the figure that the picture shows. `said`: what is put behind the title.
    """
    benchmark = BENCHMARKS[name]
    rounds = max((len(each) for figures in peers.values() for each in figures.values()), default=0)
    lines = [
        f"**{name}: {benchmark.title}**{said}",
        "",
        f"| | {' | '.join(benchmark.columns.values())} | x ours |",
        f"|---{'|---:' * (len(benchmark.columns) + 1)}|",
    ]
    for peer in (each for each in benchmark.peers if each.name in peers):
        cells = [_cell(peers, peer, figure, rounds) for figure in benchmark.columns]
        lines.append(f"| {peer.name} | {' | '.join(cells)} | {_times(peers, peer, benchmark.shown)} |")
    return "\n".join(lines)


def targets_table(results: Results) -> str:
    """One row for each target: its bound, the figure, and whether it is met."""
    lines = ["| target | install | at most | figure | |", "|---|---|---:|---:|---|"]
    for target, figure in judged(results):
        verdict = "not measured" if figure is None else "met" if figure <= target.bound else "**not met**"
        found = "-" if figure is None else _with_unit(target, figure)
        lines.append(f"| {target.what} | {target.install} | {_with_unit(target, target.bound)} | {found} | {verdict} |")
    return "\n".join(lines)


def summary(results: Results) -> str:
    """The peers that talk to a model, and one figure of each benchmark."""
    names = [name for name in SUMMARY if name in results]
    if not names:
        return ""
    heads = [f"{name}: {BENCHMARKS[name].columns[BENCHMARKS[name].shown]}" for name in names]
    lines = [f"| | {' | '.join(heads)} |", f"|---{'|---:' * len(names)}|"]
    for peer in TALKERS:
        cells = [
            _number(middle) if (middle := _median(results[name], peer.name, BENCHMARKS[name].shown)) else "-"
            for name in names
        ]
        lines.append(f"| {peer.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_unit(target: Target, value: float) -> str:
    if target.unit == "x":
        return f"1/{1 / value:.3g}" if 0 < value < 0.99 else f"{value:.2f}"
    return f"{_number(value)} {target.unit}".strip()


def _median(peers: Mapping[str, Figures], peer: str, figure: str) -> float | None:
    values = peers.get(peer, {}).get(figure)
    return statistics.median(values) if values else None


def _cell(peers: Mapping[str, Figures], peer: Peer, figure: str, rounds: int) -> str:
    values = peers[peer.name].get(figure, [])
    if not values:
        return "-"
    middle = statistics.median(values)
    text = f"{middle:,.0f}" if figure in COUNTS else _number(middle)
    if figure not in COUNTS and min(values) != max(values):
        text += f" ({_number(min(values))}-{_number(max(values))})"
    if len(values) != rounds:
        text += f" [{len(values)}]"
    ours = _median(peers, peer.against, figure)
    if peer.name.startswith(OURS) or ours is None or figure in NOT_COMPARED:
        return text
    better = middle > ours if figure in MORE_IS_BETTER else middle < ours
    return f"**{text}**" if better else text


def _times(peers: Mapping[str, Figures], peer: Peer, shown: str) -> str:
    mine, ours = _median(peers, peer.name, shown), _median(peers, peer.against, shown)
    return f"{mine / ours:.2f}" if mine is not None and ours else "-"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def picture(results: Results) -> str:
    """An SVG of two columns: for each benchmark a bar for each peer, its length the logarithm of the figure over the smallest there."""
    bottoms = [10.0] * len(COLUMNS)
    parts: list[str] = []
    for name in (each for each in PICTURED if each in results):
        column = bottoms.index(min(bottoms))
        panel, height = _panel(name, results[name], COLUMNS[column], bottoms[column])
        parts.append(panel)
        bottoms[column] += height
    size = f'width="{WIDTH}" height="{max(bottoms):.0f}" viewBox="0 0 {WIDTH} {max(bottoms):.0f}"'
    style = 'font-family="sans-serif" font-size="12"'
    ground = '<rect width="100%" height="100%" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{ground}{"".join(parts)}</svg>\n'


def _panel(name: str, peers: Mapping[str, Figures], left: float, top: float) -> tuple[str, float]:
    """One benchmark's bars, and how high they are together."""
    benchmark = BENCHMARKS[name]
    middles = {peer: middle for peer in peers if (middle := _median(peers, peer, benchmark.shown))}
    heads = (f"{name}: {benchmark.title}", f"{benchmark.columns[benchmark.shown]}; less is better, log scale")
    parts = [
        f'<text x="{left}" y="{top + 14}" font-weight="bold">{escape(heads[0])}</text>',
        f'<text x="{left}" y="{top + 29}" fill="#64748b">{escape(heads[1])}</text>',
    ]
    least, most = min(middles.values(), default=1.0), max(middles.values(), default=1.0)
    for place, (peer, value) in enumerate(sorted(middles.items(), key=lambda each: each[1])):
        parts.append(_bar(left, top + HEAD + place * ROW, peer, value, _length(value, least, most)))
    return "".join(parts), HEAD + len(middles) * ROW + GAP


def _length(value: float, least: float, most: float) -> float:
    whole = math.log(most / least * 2)
    return BAR * math.log(value / least * 2) / whole


def _bar(left: float, top: float, peer: str, value: float, length: float) -> str:
    colour = "#c2410c" if peer.startswith(OURS) else "#94a3b8"
    return (
        f'<text x="{left + NAMES - 8}" y="{top + 12}" text-anchor="end">{escape(peer)}</text>'
        f'<rect x="{left + NAMES}" y="{top + 2}" width="{length:.0f}" height="{ROW - 5}" fill="{colour}"/>'
        f'<text x="{left + NAMES + length + 5:.0f}" y="{top + 12}">{_number(value)}</text>'
    )
