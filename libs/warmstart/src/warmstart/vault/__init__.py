"""Secrets that a vault has: fetched once, before the first resource opens."""
