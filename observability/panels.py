"""What the dashboard shows: one line a query. `SELECTED` stands for the instances that its user has chosen."""

from dataclasses import dataclass

SELECTED = 'instance=~"$instance"'
# What Kubernetes, Prometheus, the api and the page ask for every other second.
OWN = "/livez|/readyz.*|/startupz|/metrics|/model|/v1/system"


@dataclass(frozen=True)
class Query:
    """PromQL, and what its lines are called, with labels as `{{label}}`."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """Drawn as Grafana's `kind`, with links to traces where there are `exemplars`.

    `unit` is one of Grafana's, `width` is in 24ths.
    """

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    stacked: bool = False
    exemplars: bool = False


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


def rate(metric: str, by: str = "", **labels: str) -> str:
    """The sum of a counter's rates, by labels."""
    return _summed(f"rate({metric}{_where(labels)}[$__rate_interval])", by)


def quantile(share: float, histogram: str, by: str, **labels: str) -> str:
    """A quantile of a histogram over all chosen instances."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', f'{by}, le', **labels)})"


def mean(histogram: str, by: str) -> str:
    """What one observation was on average."""
    return f"{rate(f'{histogram}_sum', by)} / {rate(f'{histogram}_count', by)}"


def total(gauge: str, by: str = "") -> str:
    """The sum of a gauge, by labels."""
    return _summed(f"{gauge}{_where({})}", by)


def _summed(each: str, by: str) -> str:
    return f"sum by ({by}) ({each})" if by else f"sum({each})"


def _where(labels: dict[str, str]) -> str:
    return "{" + ", ".join([SELECTED, *(f"{name}{value}" for name, value in labels.items())]) + "}"


DURATION = "http_server_request_duration_seconds"
WORK = {"http_route": f'!~"{OWN}"'}
REFUSED = {**WORK, "http_response_status_code": '=~"429|503"'}
ALL = rate(f"{DURATION}_count", "job", **WORK)

WARM = Row(
    "Is it warm?",
    (
        Panel(
            "Ready",
            "Whether /readyz answers 200.",
            (Query(f"min by (job, instance) (warmstart_ready{{{SELECTED}}})", "{{job}} {{instance}}"),),
            kind="state-timeline",
        ),
        Panel(
            "Health checks",
            "Each check of /readyz?verbose: 0 is degraded, also where it doesn't gate.",
            (Query(f'min by (job, name) (warmstart_healthcheck{{{SELECTED}, type="readyz"}})', "{{job}} {{name}}"),),
            kind="state-timeline",
        ),
        Panel(
            "Processes by phase",
            "From the boards of all pods.",
            (Query(total("warmstart_processes", "job, phase"), "{{job}} {{phase}}"),),
            stacked=True,
        ),
        Panel(
            "Last start, by phase",
            "Of the slowest living process: from its fork to the lifecycle, and to readiness.",
            (Query(f"max by (job, phase) (warmstart_startup_seconds{{{SELECTED}}})", "{{job}} {{phase}}"),),
            unit="s",
            kind="bargauge",
        ),
        Panel(
            "Last start, by resource",
            "How long each resource waited for others, and how long it took to open.",
            (
                Query(
                    f"max by (job, resource, phase) (warmstart_resource_startup_seconds{{{SELECTED}}})",
                    "{{job}} {{resource}} {{phase}}",
                ),
                Query(f"max by (phase) (worker_model_startup_seconds{{{SELECTED}}})", "worker model: {{phase}}"),
            ),
            unit="s",
            kind="bargauge",
        ),
        Panel(
            # No `increase` of the starts: it is 0 for a pod that is new, and for a container that restarts in its pod.
            "Time since the last start",
            "It falls to 0 when a process has become ready: in a new pod, after a restart, or as a replacement.",
            (
                Query(
                    f"time() - max by (job, instance) (warmstart_last_start_timestamp_seconds{{{SELECTED}}})",
                    "{{job}} {{instance}}",
                ),
            ),
            unit="s",
        ),
    ),
)
REQUESTS = Row(
    "Requests",
    (
        Panel(
            "Requests by route",
            "Without probes and scrapes.",
            (Query(rate(f"{DURATION}_count", "job, http_route", **WORK), "{{job}} {{http_route}}"),),
            unit="reqps",
        ),
        Panel(
            "Seconds of an answer",
            "Of the api's routes and the worker's, without probes and scrapes.",
            tuple(
                Query(quantile(share, DURATION, "job", **WORK), f"{{{{job}}}} p{share * 100:g}")
                for share in (0.5, 0.95, 0.99)
            ),
            unit="s",
            exemplars=True,
        ),
        Panel(
            "Answers by status",
            "Without probes and scrapes.",
            (
                Query(
                    rate(f"{DURATION}_count", "job, http_response_status_code", **WORK),
                    "{{job}} {{http_response_status_code}}",
                ),
            ),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            "Refused",
            "The share of answers that are 429 or 503.",
            (Query(f"({rate(f'{DURATION}_count', 'job', **REFUSED)} or 0 * {ALL}) / {ALL}", "{{job}}"),),
            unit="percentunit",
        ),
        Panel(
            "Under way",
            "Requests and WebSockets whose answer has not ended.",
            (Query(total("http_server_active_requests", "job"), "{{job}}"),),
        ),
        Panel(
            "Stages of an answer",
            "Mean seconds of those that Server-Timing names, where an answer needed them.",
            (Query(mean("server_timing_seconds", "job, stage"), "{{job}} {{stage}}"),),
            unit="s",
        ),
    ),
)
API = Row(
    "Work that is saved, and what the api waits for",
    (
        Panel(
            "Cache hits",
            "The share of texts that Redis knows.",
            (
                Query(
                    f'sum(rate(api_cache_lookups_total{{{SELECTED}, result="hit"}}[$__rate_interval]))'
                    f" / sum(rate(api_cache_lookups_total{{{SELECTED}}}[$__rate_interval]))",
                    "hits",
                ),
            ),
            unit="percentunit",
        ),
        Panel(
            "Texts that needed no pass",
            "By reason, of api and worker.",
            (Query(rate("embedding_texts_saved_total", "reason"), "{{reason}}"),),
            stacked=True,
        ),
        Panel(
            "Cache writes",
            "By result.",
            (Query(rate("api_cache_writes_total", "result"), "{{result}}"),),
        ),
        Panel(
            "Connections to Postgres",
            "Those that requests use, and the pool's size.",
            (
                Query(
                    total("db_client_connection_count", "db_client_connection_pool_name, db_client_connection_state"),
                    "{{db_client_connection_pool_name}} {{db_client_connection_state}}",
                ),
                Query(
                    total("db_client_connection_max", "db_client_connection_pool_name"),
                    "{{db_client_connection_pool_name}} most",
                ),
            ),
        ),
        Panel(
            "Seconds until a request has its connection",
            "p95.",
            (
                Query(
                    quantile(0.95, "db_client_connection_wait_time_seconds", "db_client_connection_pool_name"),
                    "{{db_client_connection_pool_name}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "Calls that found a dependency away",
            "Calls that waited for a worker or a Postgres that restarts, by result; calls that were sent again; quota.",
            (
                Query(rate("api_waits_total", "dependency, result"), "{{dependency}} {{result}}"),
                Query(rate("api_worker_retries_total"), "sent again"),
                Query(rate("api_quota_calls_total", "result"), "quota {{result}}"),
            ),
        ),
    ),
)
CHATS = Row(
    "Chats and flags",
    (
        Panel(
            "Chats by how they ended",
            "Each is counted once, at its end; unavailable, limited, silent, broken and failed are of the chat server.",
            (Query(rate("api_chats_total", "result"), "{{result}}"),),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            "Chats under way",
            "And MAX_CHATS of all processes together: beyond it, chats are refused.",
            (Query(total("api_chats_active"), "under way"), Query(total("api_chats_limit"), "bound")),
        ),
        Panel(
            "Seconds until the first word",
            "p50 and p99; of an answer that isn't streamed, until its end.",
            tuple(
                Query(quantile(share, "server_timing_seconds", "job", stage='="chat"'), f"p{share * 100:g}")
                for share in (0.5, 0.99)
            ),
            unit="s",
        ),
        Panel(
            "Flags",
            "In how many processes each flag has a value.",
            (Query(f"{total('warmstart_flag_processes', 'flag, value')} > 0", "{{flag}} {{value}}"),),
        ),
    ),
)
WORKER = Row(
    "The worker's queue and engine",
    (
        Panel(
            "Tokens that wait",
            "By lane, and the bound of each worker together.",
            (
                Query(total("worker_queue_tokens", "lane"), "{{lane}}"),
                Query(total("worker_queue_limit_tokens"), "bound"),
            ),
        ),
        Panel("Texts that wait", "By lane.", (Query(total("worker_queue_texts", "lane"), "{{lane}}"),)),
        Panel(
            "Seconds in the queue",
            "p95 by lane.",
            (Query(quantile(0.95, "worker_queue_seconds", "lane"), "{{lane}}"),),
            unit="s",
        ),
        Panel(
            "Tokens embedded",
            "And the padding computed beside them.",
            (
                Query(rate("worker_tokens_total"), "tokens"),
                Query(rate("worker_padding_tokens_total"), "padding"),
            ),
            stacked=True,
        ),
        Panel(
            "Size of a pass",
            "Means.",
            (
                Query(mean("worker_batch_texts", "job"), "texts"),
                Query(mean("worker_batch_tokens", "job"), "tokens"),
            ),
        ),
        Panel(
            "Seconds of a pass",
            "p50 and p99.",
            tuple(
                Query(quantile(share, "worker_inference_seconds", "job"), f"p{share * 100:g}") for share in (0.5, 0.99)
            ),
            unit="s",
        ),
        Panel(
            "Refused, dropped, failed",
            "Requests that were refused by lane, texts that left the queue by reason, texts that no pass could embed.",
            (
                Query(rate("worker_refused_total", "lane"), "refused {{lane}}"),
                Query(rate("worker_dropped_total", "reason"), "dropped: {{reason}}"),
                Query(rate("worker_failed_total"), "failed"),
            ),
        ),
        Panel(
            "Event loop",
            "p99 of the seconds by which it is late: a probe waits as long.",
            (Query(quantile(0.99, "warmstart_event_loop_lag_seconds", "job"), "{{job}}"),),
            unit="s",
        ),
        Panel(
            "What runs",
            "Versions, and the model.",
            (
                Query(f"warmstart_build_info{{{SELECTED}}}", "{{service}} {{version}}, Python {{python}}"),
                Query(f"worker_model_info{{{SELECTED}}}", "{{model}} by {{engine}} {{precision}}"),
            ),
            kind="stat",
        ),
    ),
)
ROWS = (WARM, REQUESTS, API, CHATS, WORKER)
