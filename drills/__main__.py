"""Writes docs/drills.md from the matrix: `python -m drills`."""

from drills.document import FILE, document

FILE.write_text(document())
