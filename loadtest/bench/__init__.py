"""Measures the services beside their peers and limits: `python -m loadtest.bench` (see docs/benchmarks.md)."""
