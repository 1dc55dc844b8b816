"""The instruments themselves: tables, targets, what the peers are checked for, the simulation and growth in small."""

import json
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from . import report, runner
from .__main__ import Kept, Measured, chosen, load, page, write
from .contest import BENCHMARKS, ENVIRONMENTS, LIBRARIES, MILLION, OURS, OURS_FAST, RAW, TALKERS
from .targets import TARGETS, judged

HERE = Path(__file__).resolve().parent
SECONDS = 120


def made_up(ours=1.0, others=100.0):
    """Figures for everything, two rounds."""
    return {
        name: {
            peer.name: {
                figure: [ours if peer.name.startswith(OURS) else others] * 2
                for figure in (*benchmark.columns, "connections", "load")
            }
            for peer in benchmark.peers
        }
        for name, benchmark in BENCHMARKS.items()
    }


def worker(*arguments):
    """What a worker says, run in the environment of the tests."""
    command = [sys.executable, str(HERE / "worker.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def row(table, peer):
    """The cells of one row."""
    [line] = [line for line in table.splitlines() if line.startswith(f"| {peer} |")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


# ---- tables


def test_a_cell_has_the_median_and_its_spread_and_a_better_one_of_a_peer_is_bold():
    figures = {OURS: {"cpu_us": [10.0, 14.0, 12.0]}, RAW: {"cpu_us": [9.0, 9.0, 8.0]}, "llm": {"cpu_us": [200.0]}}
    table = report.table("B1", figures)
    assert row(table, OURS) == ["12.0 (10.0-14.0)", "-", "-", "1.00"]
    assert row(table, RAW) == ["**9.00 (8.00-9.00)**", "-", "-", "0.75"]
    assert row(table, "llm") == ["200 [1]", "-", "-", "16.67"]


def test_where_more_is_better_more_is_bold_and_a_count_never_is():
    figures = {
        OURS: {"ask_us": [10.0], "asks_per_s": [500.0]},
        "autogen-core": {"ask_us": [90.0], "asks_per_s": [900.0]},
    }
    assert row(report.table("B7-ask", figures), "autogen-core")[:2] == ["90.0", "**900**"]
    few = {"actors": [4.0], "stop_all_s": [0.1]}
    figures = {OURS: {"actors": [100.0], "stop_all_s": [2.0]}, "Ray actors": few}
    assert row(report.table("B7-life", figures), "Ray actors")[:4] == ["4", "-", "-", "0.10"]


def test_what_runs_on_aiohttp_is_compared_with_ours_on_aiohttp():
    figures = {OURS: {"cpu_us": [10.0]}, OURS_FAST: {"cpu_us": [2.0]}, "openai[aiohttp]": {"cpu_us": [5.0]}}
    assert row(report.table("B1", figures), "openai[aiohttp]") == ["5.00", "-", "-", "2.50"]


def test_every_peer_has_its_module_and_its_environment():
    for benchmark in BENCHMARKS.values():
        for peer in benchmark.peers:
            assert peer.environment in ENVIRONMENTS
            assert not peer.module or (HERE / "peers" / f"{peer.module}.py").exists(), peer
            assert peer.against in [each.name for each in benchmark.peers], peer
    assert set(LIBRARIES) <= {peer.name for peer in TALKERS}


def test_the_picture_is_xml_with_a_bar_for_each_peer():
    results = made_up()
    bars = [each for each in ET.fromstring(report.picture(results)).iter() if each.tag.endswith("rect")]
    assert len(bars) == 1 + sum(len(results[name]) for name in report.PICTURED)
    assert ET.fromstring(report.picture({})).tag.endswith("svg")


def test_the_page_says_when_and_in_how_many_rounds_each_table_was_measured(tmp_path):
    kept = Kept(
        "httpx 1.0.",
        {name: Measured("2026-01-02", 2, 0.5, "a machine", figures) for name, figures in made_up().items()},
    )
    write(tmp_path, kept)
    again = load(tmp_path)
    assert again == kept
    text = (tmp_path / "tables.md").read_text("utf-8")
    assert text == page(again) + "\n"
    for name, benchmark in BENCHMARKS.items():
        assert f"**{name}: {benchmark.title}** (2026-01-02, 2 rounds, 0.5 minutes, load " in text
    assert load(tmp_path / "nowhere") == Kept()
    kept.benchmarks["B11-one"].scale = 0.01
    assert "| B11 one call, memory | default | 4,096 MB | 1.00 MB | met |" in text
    assert "| B11 one call, memory | default | 4,096 MB | - | not measured |" in page(kept)
    assert "(2026-01-02, 2 rounds of 0.01 of all, " in page(kept)


def test_a_benchmark_is_chosen_by_its_name_and_all_of_its_kind_by_their_beginning():
    assert chosen("B1") == ["B1"]
    assert chosen("B4,B9") == ["B4-50", "B4-500", "B9"]
    assert chosen("B") == list(BENCHMARKS)
    assert chosen("B4", without={"B4-50": None}) == ["B4-500"]


# ---- targets


def test_each_target_reads_a_figure_that_is_measured():
    assert [target.what for target, figure in judged(made_up()) if figure is None] == []


def test_a_target_is_met_at_its_bound_and_not_beyond():
    results = made_up(ours=1.0, others=100.0)
    table = report.targets_table(results)
    assert "| B1 CPU a chunk / the best peer | default | 1/8 | 1/100 | met |" in table
    results["B1"][OURS]["cpu_us"] = [13.0]
    assert "| B1 CPU a chunk / the best peer | default | 1/8 | 1/7.69 | **not met** |" in report.targets_table(results)
    del results["B1"]
    assert "| B1 CPU a chunk / the best peer | default | 1/8 | - | not measured |" in report.targets_table(results)
    results["B6-own"][MILLION]["process_mb"] = [2048.0]
    assert "| B6-own process of 1,000,000 | default | 2,048 MB | 2,048 MB | met |" in report.targets_table(results)


def test_the_best_peer_is_the_best_of_the_libraries_and_not_what_was_written_by_hand():
    results = made_up(ours=10.0, others=100.0)
    results["B1"][RAW]["cpu_us"] = [1.0]
    results["B1"]["autogen"]["cpu_us"] = [50.0]
    [figure] = [figure for target, figure in judged(results) if target == TARGETS[1]]
    assert figure == pytest.approx(10 / 50)


# ---- what is measured


def test_a_peer_that_does_its_job_passes_the_check_and_one_that_forgets_fails_it():
    with runner.serving() as url:
        for peer in ("raw_httpx", "llm_actors_peer"):
            worker(peer, "check", url, "0")
        forgets = textwrap.dedent("""
            import asyncio, sys
            sys.path.insert(0, sys.argv[1])
            import measures
            from peers import raw_httpx
            class Forgets(raw_httpx.Talk):
                async def ask(self, text):
                    self.messages.clear()
                    return await super().ask(text)
            raw_httpx.talk = Forgets
            async def main():
                await raw_httpx.open_peer(sys.argv[2])
                await measures.check(raw_httpx, sys.argv[2])
            asyncio.run(main())
        """)
        command = [sys.executable, "-c", forgets, str(HERE), url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode != 0
    assert "AssertionError: [('user', 'two')]" in done.stderr


def test_a_peer_that_fails_makes_the_command_fail(monkeypatch):
    broken = TALKERS[0]._replace(module="no_such_peer")
    monkeypatch.setattr(runner, "TALKERS", (broken,))
    monkeypatch.setattr(runner, "python_of", lambda _: Path(sys.executable))
    with runner.serving() as url, pytest.raises(subprocess.CalledProcessError):
        runner.check({broken}, url)


@pytest.mark.parametrize("peer", ["agents_llm_actors", "agents_asyncio"])
def test_the_simulation_waits_a_second_for_each_call_and_holds_every_history(peer):
    one = worker(peer, "B11-one", "-", "200", "processes=2")
    assert one["agents"] == 200
    assert one["seconds"] > 1
    assert 30 < one["mean"] < 70  # of numbers from 0 to 100
    assert one["flight_bytes"] > 0


def test_growth_is_measured_in_turns_and_in_rounds():
    assert set(worker("idle_llm_actors", "B10-turns", "-", "10")) == {"at_1", "at_10"}
    assert set(worker("idle_llm_actors", "B10-rounds", "-", "100")) == {"at_10", "at_100"}
