"""The latest reports of the cold-start lab and of the drills, where REPORTS_FOLDER says where they are."""

import asyncio
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse

from api.reports import Reports, read
from api.settings import ApiSettings
from warmstart.errors import NotFound

router = APIRouter(tags=["system"])
files = APIRouter(include_in_schema=False)

KINDS = {".html": "text/html", ".png": "image/png", ".svg": "image/svg+xml", ".json": "application/json"}
# A report is one file with its own style and pictures. In a sandbox it can do nothing in the name of this origin.
POLICY = "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"


@router.get("/reports")
async def get_reports(request: Request) -> Reports:
    """The figures of those that there are."""
    settings: ApiSettings = request.app.state.settings
    if settings.reports_folder is None:
        return Reports()
    return await asyncio.to_thread(read, settings.reports_folder)


@files.get("/reports/{path:path}")
async def get_report(request: Request, path: str) -> FileResponse:
    """A page of a report, or a file that it names."""
    settings: ApiSettings = request.app.state.settings
    file = await asyncio.to_thread(_below, settings.reports_folder, path)
    if file is None:
        raise NotFound("there is no such report", param="path")
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return FileResponse(file, media_type=KINDS[file.suffix], headers=headers)


def _below(folder: Path | None, path: str) -> Path | None:
    """The file, if it is one of the known kinds in the folder, also after all links in its path were followed."""
    if folder is None:
        return None
    try:
        root, file = folder.resolve(), (folder / path).resolve()
        return file if file.is_relative_to(root) and file.suffix in KINDS and file.is_file() else None
    except (OSError, RuntimeError, ValueError):  # a name that is too long, links in a circle, a name that can't be one
        return None
