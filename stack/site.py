"""The folder of a stack, and its addresses."""

import fcntl
import json
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from stack.errors import StackError
from stack.guards import Guards
from stack.interface import CHAT, EVERY, NEXT, Part
from stack.ports import DEFAULTS, HOST, VARIABLES, ports_from
from stack.secrets import Secrets, load_secrets

REPOSITORY = Path(__file__).resolve().parent.parent
_USUAL = REPOSITORY / ".warmstart"
DEFAULT_ROOT = _USUAL.resolve()  # it may be a link to a bigger disk
MODELS = "artifacts"  # the folder where the worker looks for exported models, unless ARTIFACTS names another
USER = DATABASE = "warmstart"


def quoted(password: str) -> str:
    """The password as a part of a URL."""
    return quote(password, safe="")


def env_file(root: Path) -> Path:
    """The file of passwords and settings of the stack in this folder."""
    return (REPOSITORY if root == DEFAULT_ROOT else root) / ".env"


def let_all_read(path: Path) -> None:
    """Make a file or a folder, with what is in it, readable for the users of containers: a umask of 077 made it."""
    for each in (path, *path.rglob("*")):
        wanted = 0o555 if each.is_dir() else 0o444
        with suppress(FileNotFoundError):  # a compiled file that is being written
            if each.stat().st_mode & wanted != wanted:
                each.chmod(each.stat().st_mode | wanted)


def write_private(file: Path, text: str) -> None:
    """Write a file that holds passwords: for its owner alone, also where the folder can be entered."""
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)


def _make_private(folder: Path) -> None:
    """Let its owner alone look into a folder, which an export of a model may have made; not where a link leads."""
    mode = folder.lstat().st_mode
    if stat.S_ISDIR(mode) and mode & 0o066:
        with suppress(PermissionError):  # it is another account's, who lets us write
            folder.chmod(0o700)


def _ports_file(root: Path) -> Path:
    return root / "run" / "ports.json"


def _remembered(root: Path) -> dict[Part, int] | None:
    """The ports that the last `up` chose; None after `down`, or when the file can't be read."""
    try:
        found = json.loads(_ports_file(root).read_text())
        for optional in (NEXT, CHAT):  # earlier versions wrote none
            found.setdefault(optional, DEFAULTS[optional])
        return {part: int(found[part]) for part in EVERY}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


@dataclass(frozen=True)
class Site:
    """The folder, ports and passwords of one stack."""

    root: Path
    ports: Mapping[Part, int]
    secrets: Secrets

    @classmethod
    def at(cls, root: Path, ports: Mapping[Part, int] | None) -> Self:
        """The site in a folder, made if need be; ports of the environment variables, else the defaults.

        The folder of `make up` keeps its passwords in the repository's .env, any other in its own.
        """
        root = root.resolve()
        secrets = load_secrets(env_file(root))
        known = _remembered(root) or DEFAULTS
        site = cls(root, {**known, **ports} if ports else ports_from(known=known), secrets)
        site.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (site.data, site.run, site.shared, site.logs):
            folder.mkdir(exist_ok=True)
        if root == DEFAULT_ROOT:
            # What a link leads to may be others' too: there only what the stack itself makes is its owner's alone.
            for folder in (site.data, site.run, site.logs) if _USUAL.is_symlink() else (root,):
                _make_private(folder)
        let_all_read(site.shared)
        return site

    def discard(self) -> None:
        """Delete the folder, but for exported models: they are no documents, and whoever runs next needs them."""
        for each in self.root.iterdir():
            if each.name == MODELS:
                continue
            if each.is_dir():
                shutil.rmtree(each.resolve())  # of a link to a bigger disk, what it leads to
            if each.is_symlink() or each.exists():
                each.unlink()
        if not any(self.root.iterdir()):
            self.root.rmdir()

    def agree(self) -> None:
        """Raise StackError when the stack runs on other ports: its parts would look for each other on both."""
        for part, port in (_remembered(self.root) or {}).items():
            if port != self.ports[part]:
                raise StackError(
                    f"make up chose port {port} for {part}, not {self.ports[part]}: "
                    f"make down first, or leave {VARIABLES[part]} unset"
                )

    def remember(self) -> None:
        """Let later commands find the parts on these ports, whatever the environment says then."""
        _ports_file(self.root).write_text(json.dumps(dict(self.ports)))

    def forget(self) -> None:
        """Let the next start choose its ports anew."""
        _ports_file(self.root).unlink(missing_ok=True)

    def heal(self) -> None:
        """Let the next start find nothing broken on purpose."""
        for pattern in ("*.faults", "*.toxics"):
            for file in self.shared.glob(pattern):
                file.unlink()

    @property
    def guards(self) -> Guards:
        """What the services must not be started again without."""
        return Guards(self.run / "guards.json")

    @property
    def data(self) -> Path:
        """The folder of what outlives `down`."""
        return self.root / "data"

    @property
    def run(self) -> Path:
        """The folder of pid files and configurations."""
        return self.root / "run"

    @property
    def shared(self) -> Path:
        """The folder that the services may read: fault switches, and code that drills replace."""
        return self.run / "shared"

    def share(self, name: str, text: str) -> None:
        """Write a file there atomically, readable for any user that a service runs as."""
        unfinished = self.shared / f".{name}"
        unfinished.write_text(text)
        unfinished.chmod(0o644)
        unfinished.replace(self.shared / name)

    def shared_text(self, name: str) -> str:
        """What is in a file there; empty if there is none."""
        file = self.shared / name
        return file.read_text() if file.exists() else ""

    @property
    def logs(self) -> Path:
        """The folder of the logs, one file for each part."""
        return self.root / "logs"

    def url(self, part: Part, port: int, host: str = HOST) -> str:
        """The address of a part that listens there, with user and password where it takes them."""
        if part == "postgres":
            return f"postgresql+asyncpg://{USER}:{quoted(self.secrets.postgres)}@{host}:{port}/{DATABASE}"
        return f"redis://:{quoted(self.secrets.redis)}@{host}:{port}/0" if part == "valkey" else f"http://{host}:{port}"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep another `up` or `down` of the same stack out. Raises StackError when one is under way."""
        with (self.run / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(f"another up or down of {self.root} is under way") from None
            yield
