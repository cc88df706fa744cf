"""A TCP proxy that breaks connections in part: slow, narrow, cut, silent. Its terms are Toxiproxy's.

Only Python's standard library is imported here: the folder is mounted into a container as it is.
"""
