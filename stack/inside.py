"""Commands for the inside of a pod: a shell, and nothing but its built-in commands.

A pod's containers share one process namespace, whose process 1 is the pause container, so that a part's own processes
can be stopped.
"""

from signal import Signals

from stack.descent import descendants
from stack.site import DATABASE, USER

# For every process its line of /proc/N/stat, then the shell's own process id.
LIST = 'for each in /proc/[0-9]*/stat; do read -r line < "$each" && echo "$line"; done 2> /dev/null; echo "$$"'
PAUSE_CONTAINER = 1
# In the pod of Postgres, over its socket. A new Postgres has a schema already, which the dump drops; but of a partition
# it would drop the constraints alone, and Postgres refuses that (pg_dump 18: "cannot drop inherited constraint").
DUMP = ("pg_dump", "--clean", "--if-exists", "--username", USER, DATABASE)
PSQL = ("psql", "--username", USER, "--dbname", DATABASE, "--quiet")
DROP = "DROP TABLE IF EXISTS embeddings"
RESTORE = (*PSQL, "--single-transaction", "--set", "ON_ERROR_STOP=1", "--command", DROP, "--file", "-")
ASK = (*PSQL, "--no-psqlrc", "--no-align", "--tuples-only", "--command")  # and then a statement; a row a line


def to_all(sig: Signals) -> tuple[str, ...]:
    """Signal every process of the pod but the shell and process 1."""
    return ("sh", "-c", f"kill -s {sig.name.removeprefix('SIG')} -- -1")


def to_one(sig: Signals, pid: int) -> tuple[str, ...]:
    """Signal one process."""
    return ("sh", "-c", f"kill -s {sig.name.removeprefix('SIG')} {pid}")


def into(file: str) -> tuple[str, ...]:
    """Write standard input to a file, atomically."""
    folder, _, name = file.rpartition("/")
    unfinished = f"{folder}/.{name}"
    return ("sh", "-c", f"cat > {unfinished} && mv {unfinished} {file}")


def processes(listed: str) -> list[int]:
    """Those of the container, the main one first, from what `LIST` prints.

    Parents outside the pod count as 0: the container's first process has it, and so has whatever a probe or an exec
    starts later.
    """
    *lines, shell = listed.split("\n")[:-1]
    parents = {int(line.split(" ", 1)[0]): int(line.rpartition(")")[2].split()[1]) for line in lines}
    own = {PAUSE_CONTAINER, int(shell)}
    main = min((pid for pid, parent in parents.items() if parent == 0 and pid not in own), default=None)
    return descendants(main, parents) if main else []
