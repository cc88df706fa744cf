"""The parts of the cold-start lab. `python -m loadtest.coldstart` puts them together."""
