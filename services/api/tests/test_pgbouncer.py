"""Behind PgBouncer in transaction mode, where each transaction may run on another server connection."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from services.api.tests.conftest import Start
from services.api.tests.helpers.databases import own_database, sql
from stack import EmbeddedStack, free_ports, until

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 3
"""


@pytest.fixture
def pooled(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a database of the test's own through PgBouncer."""
    if PGBOUNCER is None and not os.environ.get("REQUIRE_PGBOUNCER"):
        pytest.skip("pgbouncer is not installed")
    folder: Path = tmp_path_factory.mktemp("pgbouncer")
    for each in (folder, *folder.parents[:2]):  # PgBouncer refuses to run as root
        each.chmod(0o755)
    listen, parts = free_ports()["postgres"], urlsplit(stack.url("postgres"))
    (folder / "users").write_text(f'"{parts.username}" "{parts.password}"\n')
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(CONFIGURATION.format(port=parts.port, listen=listen, folder=folder))
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    process = subprocess.Popen([PGBOUNCER or "pgbouncer", "--quiet", str(configuration)], user=user)
    try:
        with own_database(stack.url("postgres")) as direct:
            url = direct.replace(f":{parts.port}/", f":{listen}/")
            until(lambda: sql(f"{url}?pgbouncer=true", "SELECT 1"), 10, "PgBouncer")
            yield url
    finally:
        process.terminate()
        process.wait()


def use(client: TestClient, turn: int) -> list[int]:
    """The statuses of a write, a search, a read and a deletion."""
    name = f"pooled-{turn}"
    return [
        client.post("/v1/documents", json={"documents": [{"id": name, "text": name}, {"text": "other"}]}).status_code,
        client.post("/v1/search", json={"query": name, "limit": 1, "filter": {"none": turn}}).status_code,
        client.get(f"/v1/documents/{name}").status_code,
        client.delete(f"/v1/documents/{name}").status_code,
    ]


@pytest.mark.parametrize("option", ["prepared_statement_cache_size=0", "pgbouncer=true"])
def test_no_request_fails(stack: EmbeddedStack, pooled: str, start: Start, option: str) -> None:
    """With the documented option ten connections share three, and no statement meets another one's name."""
    before = len(stack.logs("postgres"))
    client = start(database_url=f"{pooled}?{option}")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda turn: use(client, turn), range(40))) == [[200, 200, 200, 204]] * 40
    until(lambda: "[+]postgres ok" in client.get("/readyz?verbose").text, 20, "a sample in time")
    assert "prepared statement" not in stack.logs("postgres")[before:]
