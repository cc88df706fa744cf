"""What locustfile.py is made of: options, raw rows, open-loop arrivals, thresholds and the exit code."""
