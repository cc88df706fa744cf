"""The folder of a stack."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stack.ports import DEFAULTS
from stack.project import MOUNTED, Project
from stack.site import MODELS, REPOSITORY, Site, let_all_read

ABOUT = """
from stack.project import project_name
from stack.site import DEFAULT_ROOT, Site
print(project_name(Site.at(DEFAULT_ROOT, None).root))
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of this one, as far as `stack` needs it."""
    folder = tmp_path / "repository"
    shutil.copytree(REPOSITORY / "stack", folder / "stack", ignore=shutil.ignore_patterns("__pycache__", "tests"))
    return folder


def project_of(repository: Path) -> str:
    """The name of its project; its folder is made meanwhile."""
    argv = (sys.executable, "-c", ABOUT)
    return subprocess.run(argv, cwd=repository, env={}, check=True, capture_output=True, text=True).stdout.strip()


def test_the_folder_of_make_up_may_be_a_link(repository: Path, tmp_path: Path) -> None:
    """Moved to a bigger disk, it has the passwords and the project that it had: those of the repository."""
    big = tmp_path / "big"
    big.mkdir()
    (repository / ".warmstart").symlink_to(big)
    assert project_of(repository) == "warmstart"
    assert ((repository / ".env").exists(), (big / ".env").exists()) == (True, False)
    assert (big / "run").is_dir()


def test_only_the_owner_can_look_into_the_folder(repository: Path) -> None:
    """Also where an export of a model made it first: it has logs, passwords and a copy of a cluster's documents."""
    root = repository / ".warmstart"
    root.mkdir()
    root.chmod(0o755)
    project_of(repository)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_what_a_link_leads_to_stays_open(repository: Path, tmp_path: Path) -> None:
    """A disk for all is not locked for others, nor what a further link leads to; what the stack makes there is."""
    big, bigger = tmp_path / "big", tmp_path / "bigger"
    for disk in (big, bigger):
        disk.mkdir()
        disk.chmod(0o777)
    (repository / ".warmstart").symlink_to(big)
    (big / "data").symlink_to(bigger)
    project_of(repository)
    folders = (big, bigger, big / "run", big / "logs")
    assert [stat.S_IMODE(each.stat().st_mode) for each in folders] == [0o777, 0o777, 0o700, 0o700]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs an account that may become another one")
def test_another_account_s_folder_may_be_used(repository: Path) -> None:
    """Who may write there can't make it private, and is not stopped by that."""
    root = repository / ".warmstart"
    root.mkdir()
    root.chmod(0o777)
    os.chown(root, 65534, -1)
    argv = ("setpriv", "--bounding-set=-fowner", "--", sys.executable, "-c", ABOUT)  # a root that is like any account
    subprocess.run(argv, cwd=repository, env={}, check=True, capture_output=True, text=True)
    assert (root / "run").is_dir()


def test_the_settings_of_containers_are_private(tmp_path: Path) -> None:
    """With FAULTS_ENABLED=1 they hold addresses with passwords; an older file is made private, too."""
    site = Site.at(tmp_path, DEFAULTS)
    override = site.run / "compose.override.json"
    override.touch(mode=0o644)
    Project(site, {})._command({})
    assert stat.S_IMODE(override.stat().st_mode) == 0o600


def test_documents_on_another_disk_are_discarded(tmp_path: Path) -> None:
    """A link instead of the folder of documents is followed; exported models stay."""
    site = Site.at(tmp_path / "site", DEFAULTS)
    big = site.data.rename(tmp_path / "big")
    site.data.symlink_to(big)
    (big / "document").touch()
    (site.root / MODELS).mkdir()
    site.discard()
    assert not big.exists()
    assert [each.name for each in site.root.iterdir()] == [MODELS]


def test_what_containers_read_is_readable_whatever_the_umask(tmp_path: Path) -> None:
    """Their users are others: fault switches, programs and configurations that are mounted."""
    before = os.umask(0o077)
    try:
        site = Site.at(tmp_path / "site", DEFAULTS)
        folder = tmp_path / "mounted"
        folder.mkdir()
        (folder / "file").touch()
    finally:
        os.umask(before)
    let_all_read(folder)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (site.shared, folder, folder / "file")]
    assert modes == [0o755, 0o755, 0o644]


def test_all_that_compose_mounts_from_the_clone_is_made_readable() -> None:
    """Each path that compose.yaml mounts lies below one of those."""
    mounted = re.findall(r"\./([\w./-]+):[^:\s]+:ro", (REPOSITORY / "compose.yaml").read_text())
    assert {"stack/haproxy.cfg", "observability"} <= set(mounted)
    assert [each for each in mounted if not each.startswith(MOUNTED)] == []
