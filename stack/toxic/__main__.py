"""`python -m stack.toxic FOLDER NAME=FROM=TO…`: for each name a proxy from one host:port to another."""

import argparse
import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from .proxy import Proxy, Toxics

log = logging.getLogger("toxic")


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="toxic", description="A TCP proxy that breaks connections on purpose.")
    parser.add_argument("folder", type=Path, help="folder of the files NAME.toxics, read again on each change")
    parser.add_argument("route", nargs="+", type=route, metavar="NAME=LISTEN:PORT=TARGET:PORT")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    asyncio.run(serve(options.folder, dict(options.route)))


def route(text: str) -> tuple[str, tuple[str, str]]:
    name, listen, target = text.split("=")
    return name, (listen, target)


async def serve(folder: Path, routes: Mapping[str, tuple[str, str]]) -> None:
    """One proxy a route. Raises OSError when one can't listen."""
    async with asyncio.TaskGroup() as group:
        for name, (listen, target) in routes.items():
            log.info("%s: %s -> %s", name, listen, target)
            group.create_task(Proxy(listen, target, Toxics(folder / f"{name}.toxics")).serve())


if __name__ == "__main__":
    main()
