"""Spaces: vectors of one space can be compared, whatever engine or precision made them."""

# Spaces of fingerprints that were served, and stored with documents, before workers named spaces: the default model's,
# by OpenVINO bf16 and fp32, ONNX Runtime fp32 and sentence-transformers. Never change it.
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


_heard = dict(KNOWN)  # by this process


def space_of(fingerprint: str, named: str | None = None) -> str:
    """The space that a worker names.

    A worker of an earlier version names none. Its space is the one that another worker with the same fingerprint has
    named to this process; until one has, the fingerprint. So a process that asks workers of both versions in turn sees
    one space.
    """
    if named:
        _heard[fingerprint] = named
    return _heard.get(fingerprint, fingerprint)
