"""What the worker's callers and the worker agree on: routes, fields, headers, limits.

Errors are those of `warmstart.errors`, in its envelope.
"""
