"""The parts of the cold-start lab, which `python -m loadtest.coldstart` puts together."""
