"""`GET /`: the page for people, and its files under `/assets`."""

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from warmstart.errors import NotFound, shortened

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent.parent / "page"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# Nothing inline, nothing from another host, no frame around it. `img-src` is for the icon.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class File(NamedTuple):
    """A file of the page, read once."""

    content: bytes
    media_type: str
    tag: str

    @classmethod
    def read(cls, path: Path) -> "File":
        """From the folder."""
        content = path.read_bytes()
        return cls(content, KINDS[path.suffix], f'"{sha256(content).hexdigest()[:16]}"')


FILES = {path.name: File.read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in KINDS}


@router.get("/")
async def page(request: Request) -> Response:
    """Search, the system now, cold start and drills."""
    return _answer(request, FILES["index.html"])


@router.get("/assets/{name}")
async def asset(request: Request, name: str) -> Response:
    """One of its files: no path leads to another one."""
    if name not in FILES:
        raise NotFound(f"there is no asset {shortened(name)!r}", param="name")
    return _answer(request, FILES[name])


@router.get("/favicon.ico")
async def icon(request: Request) -> Response:
    """For browsers that ask for it unasked, as from `/docs`."""
    return _answer(request, FILES["icon.svg"])


def _answer(request: Request, file: File) -> Response:
    """No copy is used without asking, so that page and modules are of one version."""
    headers = {"ETag": file.tag, "Cache-Control": "no-cache"}
    if file.media_type == "text/html":  # with a 304, too: a browser takes the new headers for the page that it has
        headers |= {"Content-Security-Policy": POLICY}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, 200, headers, file.media_type)
