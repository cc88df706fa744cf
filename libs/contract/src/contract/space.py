"""Spaces: vectors of one space can be compared, whatever engine or precision made them."""

# Spaces of fingerprints that were served, and stored with documents, before workers named spaces: the default model's,
# by OpenVINO bf16 and fp32, ONNX Runtime fp32 and sentence-transformers. The database's migration 0002 reads this:
# never take one out. `services/worker/tests/test_space.py` holds it to the worker's code.
DEFAULT = "97b8d8be1b0eabb2b69586860935acd8e4a4b54ba55eed9c2377f97fc79c6a7a"
KNOWN = dict.fromkeys(
    (
        "a0da5aae898d2fbde4abe24f1d40e7cf66730945285ef7d4ed139fdcfc41a779",
        "72168e690c7fdcc3bdbb3c8b230b62f8f97279a5bdecaa137496681df95c1258",
        "3d3b390e05820ddda82e0c35b0a4c0f5544b662bb364d7675010622bb365f512",
        "313e4be865c14856fae3943488d0c293c2f2c25a61113eccb74a1903eecaaadb",
    ),
    DEFAULT,
)


_heard = dict(KNOWN)


def space_of(fingerprint: str, named: str | None = None) -> str:
    """The space that a worker names. Those of earlier versions name none: what a later one with its fingerprint named.

    Before one did, the space has the fingerprint's name. While workers of both versions serve, all are so of one space.
    """
    if named:
        _heard[fingerprint] = named
    return _heard.get(fingerprint, fingerprint)
