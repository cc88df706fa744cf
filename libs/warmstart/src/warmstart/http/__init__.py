"""What an application answers beside its own routes: probes, gate, limits, errors, metrics."""
