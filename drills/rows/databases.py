"""Postgres changed while it serves."""

from drills.row import STEADY, Control, Row
from drills.rows.common import UNAVAILABLE

ONE_SERVER = "it has one Postgres, and the drill's second one is a process of this machine"

ROWS = (
    Row(
        "postgres_demoted",
        "A primary that becomes read-only costs writes only, typed; reading goes on, and writing as soon as it can.",
        "ALTER SYSTEM SET default_transaction_read_only = on for 3 s, which is what clients see of a demotion in place",
        probes={"api": STEADY},
        bites=("it is read-only", "writes are refused"),
        cluster="nothing is different: the pod stays",
        clients=(UNAVAILABLE,),
        radius=("document",),
        control=Control("telling read-only from lost", breaks="reading goes on", patches={"api": "read_only_is_lost"}),
    ),
    Row(
        "postgres_moved",
        "When a standby takes over, reading goes on, and from the moment that it takes writes none is lost.",
        "the primary becomes read-only and stays, its standby (pg_basebackup) is promoted; DATABASE_URL names both",
        probes={"api": STEADY},
        bites=("the new one is written to",),
        cluster="not run",
        starts=("api",),
        clients=(UNAVAILABLE,),
        radius=("document",),
        control=Control(
            "leaving connections that lead to a replica",
            breaks="none is lost once the new one answers",
            patches={"api": "replicas_stay_pooled,idle_stay_pooled"},  # the health sample ends the idle ones, too
            bites=(),  # no write comes to the new one
        ),
        not_on={"compose": ONE_SERVER, "kubernetes": ONE_SERVER},
    ),
    Row(
        "credentials_rotated",
        "A password that changes in Postgres and then in DATABASE_URL_FILE loses no request.",
        "ALTER ROLE … PASSWORD, 0.5 s later the file, then every connection of that role is ended",
        probes={"api": STEADY},
        bites=("connections are made anew",),
        cluster="not run",
        starts=("api",),
        control=Control("reading the file again", breaks="clients", patches={"api": "file_read_once"}),
        not_on={"kubernetes": "the file is a Secret's, and the kubelet brings a new one within a minute or so"},
    ),
)
