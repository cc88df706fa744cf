"""What an application serves besides its own routes: probes, gate, limits, errors, metrics."""
