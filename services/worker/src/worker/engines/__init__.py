"""What can run a model: one module an engine, behind the interface in `base`."""
