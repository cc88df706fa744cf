#!/usr/bin/env bash
# The public image's conventions: the same variables, the same first start, and never as root.
set -euo pipefail

fail() {
    echo "docker-entrypoint.sh: $*" >&2
    exit 1
}

# A variable NAME may also come from the file that NAME_FILE names.
from_file() {
    local name=$1 file=$1_FILE
    [[ -n ${!file:-} ]] || return 0
    [[ -z ${!name:-} ]] || fail "both $name and $file are set"
    export "$name=$(<"${!file}")"
    unset "$file"
}

# initdb wants a name for its user, who may be any: a wrapper gives it one.
name_user() {
    getent passwd "$(id -u)" >/dev/null && return
    NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
    printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$(id -u)" "$(id -g)" "$PGDATA" >"$NSS_WRAPPER_PASSWD"
    printf 'postgres:x:%s:\n' "$(id -g)" >"$NSS_WRAPPER_GROUP"
    export NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
    LD_PRELOAD=$(echo /usr/lib/*/libnss_wrapper.so)
    export LD_PRELOAD
}

initialize() {
    local auth=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    [[ -n ${POSTGRES_PASSWORD:-} || $auth == trust ]] || fail "POSTGRES_PASSWORD is not set"
    # shellcheck disable=SC2086  # several arguments by design
    initdb --username="$POSTGRES_USER" --pwfile=<(echo "${POSTGRES_PASSWORD:-none}") ${POSTGRES_INITDB_ARGS:-}
    printf 'host all all all %s\n' "$auth" >>"$PGDATA/pg_hba.conf"
    # Over the socket only: who asks over TCP meets the finished database or none.
    pg_ctl --wait --options="-c listen_addresses=''" start
    if [[ $POSTGRES_DB != postgres ]]; then
        createdb --username="$POSTGRES_USER" --maintenance-db=postgres "$POSTGRES_DB"
    fi
    run_init_files
    pg_ctl --wait --mode=fast stop
}

run_init_files() {
    local file psql=(psql --set=ON_ERROR_STOP=1 --no-password --no-psqlrc --username="$POSTGRES_USER" --dbname="$POSTGRES_DB")
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh) bash "$file" ;;
            *.sql) "${psql[@]}" --file="$file" ;;
            *.sql.gz) gunzip --stdout "$file" | "${psql[@]}" ;;
        esac
    done
}

if [[ $1 == -* ]]; then
    set -- postgres "$@"
fi
[[ $1 == postgres ]] || exec "$@"

for name in POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS; do from_file "$name"; done
export POSTGRES_USER=${POSTGRES_USER:-postgres}
export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}

if [[ $(id -u) == 0 ]]; then
    mkdir -p "$PGDATA"
    find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres: {} +
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
mkdir -p "$PGDATA"
chmod 700 "$PGDATA"
if [[ ! -s $PGDATA/PG_VERSION ]]; then
    name_user
    initialize
    unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
fi
exec "$@"
