"""Benchmarks: `python -m tests.benchmarks` (contest.py says who is measured in what; results/ holds the last whole run)."""
