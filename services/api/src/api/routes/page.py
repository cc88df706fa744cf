"""`GET /`: a page to try the api in a browser."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

PAGE = (Path(__file__).parent.parent / "page" / "index.html").read_text()


@router.get("/", response_class=HTMLResponse)
async def page() -> HTMLResponse:
    """Status, a search box and a box to add a document, in one file."""
    return HTMLResponse(PAGE)
