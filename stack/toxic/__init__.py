"""A TCP proxy that breaks connections by halves: slow, thin, cut, silent. Its words are Toxiproxy's.

Only Python's standard library is imported here: the folder is mounted into a container as it is.
"""
