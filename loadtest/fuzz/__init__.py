"""Bytes that no client should send, sent to both services: `python -m loadtest.fuzz`, or `make fuzz`."""
