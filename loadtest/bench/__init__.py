"""The services measured beside their peers and their limits: `python -m loadtest.bench` (see docs/benchmarks.md)."""
