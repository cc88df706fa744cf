"""The parts of locustfile.py: options, raw rows, open-loop arrivals, thresholds and the exit code."""
