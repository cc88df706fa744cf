"""Feature flags: typed, read from a file at start, and followed while the service runs. No HTTP is imported here."""
