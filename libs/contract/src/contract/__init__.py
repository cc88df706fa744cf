"""What api and worker agree on: routes, fields, headers, limits.

Errors are those of `warmstart.errors`, in its envelope.
"""
