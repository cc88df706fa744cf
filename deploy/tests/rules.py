"""What holds on every platform: who is more patient than whom, and that production is closed."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from pydantic import ValidationError

from deploy.tests.manifests import CLOUD_RUN, Container, Job, Service
from k8s.tests.budgets import START_FACTOR, budgets
from k8s.tests.rules.scaling import MAX_CONNECTIONS, SUPERUSER_CONNECTIONS
from k8s.tests.rules.security import CREDENTIALS, SECRET_NAME
from k8s.tests.rules.server import CLASSES, server_of, settings_of
from warmstart.settings.secret_files import SUFFIX, is_secret

CLOUD_RUN_START = 240  # seconds, for period x threshold of the startup probe
FROM_THE_IMAGE = {"TMPDIR"}  # read by others than the settings
WATCHED = ("API_KEYS", "OPERATOR_KEYS", "WORKER_SECRET")  # their files, by `warmstart.settings.watched`
SECRETS = {
    "warmstart-api": {"DATABASE_URL", "REDIS_URL", "API_KEYS", "WORKER_SECRET"},
    "warmstart-worker": {"WORKER_SECRET"},
}


def a_start_has_time_to_fail_by_itself(service: Service) -> Iterator[str]:
    """The platform waits longer than STARTUP_TIMEOUT and three slow starts, so that the service says why it can't."""
    probe, limit = service.probes["startup"], settings_of(service.image, service.settings).startup_timeout
    needed = limit + START_FACTOR * budgets().inputs["slowest_start"]
    if probe.budget < needed:
        yield f"{service}: a start may take {probe.budget:g} s, it must be allowed {needed:g}"
    if service.where.startswith(CLOUD_RUN) and probe.period * probe.threshold > CLOUD_RUN_START:
        yield f"{service}: Cloud Run gives a start {CLOUD_RUN_START} s at most"


def a_stop_ends_before_it_is_cut(service: Service) -> Iterator[str]:
    """Drain + in-flight + closing < gunicorn's graceful_timeout < the platform's grace."""
    server = server_of(service.image, service.settings)
    if not server.settings.stop_budget < server.graceful_timeout < service.grace:
        yield (
            f"{service}: drain + in-flight + closing ({server.settings.stop_budget:g} s) < graceful_timeout "
            f"({server.graceful_timeout:g} s) < grace ({service.grace:g} s) must hold"
        )


def an_answer_ends_before_it_is_cut(service: Service) -> Iterator[str]:
    """The api's own limits end a chat, with a typed error, before the platform's limit of a request does."""
    settings = settings_of(service.image, service.settings).model_dump()
    longest = settings["request_timeout"] + settings.get("chat_timeout", 0)
    if not longest < service.request:
        yield f"{service}: an answer may take {longest:g} s, and is cut after {service.request:g}"


def probes_ask_what_kubernetes_asks(service: Service) -> Iterator[str]:
    """The same paths at the port that is served; readiness and liveness with the numbers of k8s/budgets.yaml."""
    for kind, wanted in budgets().probes.items():
        probe = service.probes[kind]
        if (probe.path, probe.port) != (wanted["path"], service.port):
            yield f"{service}: {kind} asks {probe.path} at port {probe.port}"
        numbers = (probe.period, probe.timeout, probe.threshold)
        if kind != "startup" and numbers != tuple(
            wanted[key] for key in ("periodSeconds", "timeoutSeconds", "failureThreshold")
        ):
            yield f"{service}: {kind} has other numbers than k8s/budgets.yaml: {numbers}"
        if probe.timeout > probe.period:
            yield f"{service}: {kind} may take longer than its period"


def it_listens_where_it_is_asked(service: Service) -> Iterator[str]:
    """Cloud Run sets PORT; elsewhere the service has its own."""
    given = {"PORT": str(service.port)} if service.where.startswith(CLOUD_RUN) else {}
    listens = settings_of(service.image, {**service.settings, **given}).port
    if listens != service.port or "PORT" in service.environment:
        yield f"{service}: requests come to port {service.port}, it listens on {listens}"


def somebody_is_always_warm(service: Service) -> Iterator[str]:
    """Two instances: with none the first user waits for a start, with one a lost machine is an outage."""
    if service.least < 2:
        yield f"{service}: may have {service.least} instances"


def the_model_has_whole_cpus(service: Service) -> Iterator[str]:
    """It gets one thread for each; a fraction would stay idle."""
    if service.image == "warmstart-worker" and service.cpus != int(service.cpus):
        yield f"{service}: has {service.cpus:g} CPUs"


def postgres_has_connections_for_two_revisions(service: Service) -> Iterator[str]:
    """While a revision is replaced, both may have all their instances."""
    if service.image == "warmstart-api":
        pool = server_of(service.image, service.settings).settings.model_dump()["database_pool_size"]
        connections, available = 2 * service.most * (pool + 1), MAX_CONNECTIONS - SUPERUSER_CONNECTIONS
        if connections > available:
            yield f"{service}: opens up to {connections} connections, Postgres has {available}"


def only_the_api_is_public(service: Service) -> Iterator[str]:
    """The worker is the api's."""
    if service.public != (service.image == "warmstart-api"):
        yield f"{service}: is {'open to the internet' if service.public else 'not reachable from outside'}"


def production_is_closed(service: Service) -> Iterator[str]:
    """Production, with each secret from a file or a variable that refers to it: it does not start without them."""
    if settings_of(service.image, service.settings).environment != "production":
        yield f"{service}: ENVIRONMENT is not production"
    yield from (
        f"{service}: has no {name}"
        for name in sorted(SECRETS[service.image])
        if name + SUFFIX not in service.environment and name not in service.versions
    )


def every_variable_is_a_setting(container: Container) -> Iterator[str]:
    """A name that the settings don't have is ignored without a word; a bad value ends the start."""
    fields = CLASSES[container.image].model_fields
    for name in {*container.environment, *container.versions} - FROM_THE_IMAGE:
        if not {name.lower(), name.removesuffix(SUFFIX).lower()} & fields.keys():
            yield f"{container}: {name} is no setting of {container.image}"
    try:
        settings_of(container.image, container.settings)
    except ValidationError as error:
        yield from (f"{container}: {each['loc']}: {each['msg']}" for each in error.errors(include_input=False))
    except ValueError as error:
        yield f"{container}: {error}"


def secrets_are_mounted_files(container: Container) -> Iterator[str]:
    """No value of a secret stands in a manifest, and each file that is named is there."""
    fields = CLASSES[container.image].model_fields
    for name, value in container.environment.items():
        field = fields.get(name.removesuffix(SUFFIX).lower())
        if name.endswith(SUFFIX) and field and is_secret(field) and value not in container.files:
            yield f"{container}: {name} names {value}, which is not mounted"
        if CREDENTIALS.search(value) or (SECRET_NAME.search(name) and not name.endswith(SUFFIX)):
            yield f"{container}: {name} is a secret in plain text"


def secrets_are_fetched_seldom(container: Container) -> Iterator[str]:
    """Cloud Run asks Secret Manager at each read of a file, and the services read some files twice a second."""
    for name in WATCHED:
        if container.where.startswith(CLOUD_RUN) and name + SUFFIX in container.environment:
            yield f"{container}: {name}{SUFFIX} is read twice a second, and each read asks Secret Manager"


def secrets_in_variables_have_a_version(container: Container) -> Iterator[str]:
    """With the latest one, an instance that starts later has another value than its siblings."""
    for name, version in container.versions.items():
        if not version.isdecimal():
            yield f"{container}: {name} is of version {version}, not of a number"


def an_attempt_outlasts_its_patience(job: Job) -> Iterator[str]:
    """The migration waits for Postgres itself, and says so; it must not be cut meanwhile."""
    patience = settings_of(job.image, job.settings).model_dump()["migrate_timeout"]
    if job.command != ("python", "-m", "api.migrate") or not 2 * patience <= job.limit:
        yield f"{job}: {job.command} waits {patience:g} s for Postgres, and is cut after {job.limit:g}"


ServiceRule: TypeAlias = Callable[[Service], Iterator[str]]
ContainerRule: TypeAlias = Callable[[Container], Iterator[str]]
JobRule: TypeAlias = Callable[[Job], Iterator[str]]

OF_SERVICES: tuple[ServiceRule, ...] = (
    a_start_has_time_to_fail_by_itself,
    a_stop_ends_before_it_is_cut,
    an_answer_ends_before_it_is_cut,
    probes_ask_what_kubernetes_asks,
    it_listens_where_it_is_asked,
    somebody_is_always_warm,
    the_model_has_whole_cpus,
    postgres_has_connections_for_two_revisions,
    only_the_api_is_public,
)
OF_CONTAINERS: tuple[ContainerRule, ...] = (
    every_variable_is_a_setting,
    secrets_are_mounted_files,
    secrets_are_fetched_seldom,
    secrets_in_variables_have_a_version,
)
OF_JOBS: tuple[JobRule, ...] = (an_attempt_outlasts_its_patience,)


def complaints(found: Service | Job) -> list[str]:
    """Of the rules about settings first: without readable ones there are no numbers to compare."""
    unread = [line for rule in OF_CONTAINERS for line in rule(found)]
    if unread:
        return unread
    if isinstance(found, Job):
        return [line for rule in OF_JOBS for line in rule(found)]
    return list(production_is_closed(found)) or [line for rule in OF_SERVICES for line in rule(found)]
