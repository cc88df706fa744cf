"""`python -m tests.page.picture`: makes docs/page.png again, of a system of its own with the real model."""

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from stack import EmbeddedStack, free_ports
from stack.site import DEFAULT_ROOT, MODELS, REPOSITORY
from tests.page.conftest import CHROMIUM, PATIENCE

PICTURE = REPOSITORY / "docs" / "page.png"
MEASURED = REPOSITORY / "loadtest" / "measured" / "coldstart.json"
SIZE: ViewportSize = {"width": 1280, "height": 900}
QUERIES = (
    "a quiet evening by the water",
    "trains under the mountains",
    "hot soup with noodles",
    "a mountain that erupts",
)
ROUNDS = 12  # of all queries: as many as fill the charts


def main() -> None:
    """Start the system, use it for a minute, and look."""
    with tempfile.TemporaryDirectory() as folder:
        reports = Path(folder) / "reports"
        (reports / "coldstart").mkdir(parents=True)
        shutil.copy(MEASURED, reports / "coldstart" / "summary.json")
        settings = {
            "DRAIN_SECONDS": "0",
            "REPORTS_FOLDER": str(reports),
            "ARTIFACTS": str(DEFAULT_ROOT / MODELS),
        }
        with EmbeddedStack(Path(folder) / "stack", free_ports(), environment=settings) as stack:
            PICTURE.write_bytes(small(screenshot(stack.url("api"))))
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1024} KB")


def screenshot(url: str) -> bytes:
    """The page after a minute of use."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, device_scale_factor=1.5, color_scheme="light")
        page.goto(url)
        use(page)
        picture = page.screenshot()
        browser.close()
    return picture


def use(page: Page) -> None:
    """Add the examples and search them."""
    expect(page.locator("#state")).to_have_text("ready")
    page.fill("#query", QUERIES[-1])
    page.press("#query", "Enter")
    page.click(".offer button")
    expect(page.locator(".result").first).to_be_visible()
    for query in QUERIES * ROUNDS:
        page.fill("#query", query)
        page.press("#query", "Enter")
        page.wait_for_timeout(1_250)  # a person's pace
    page.locator("#query").blur()
    page.mouse.move(0, 0)


def small(picture: bytes) -> bytes:
    """The same with 128 colours: a fifth of the bytes."""
    out = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True
    )
    return out.getvalue()


if __name__ == "__main__":
    main()
