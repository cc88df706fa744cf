"""Sends both services bytes that no client should send: `python -m loadtest.fuzz`, or `make fuzz`."""
