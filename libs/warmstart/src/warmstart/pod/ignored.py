"""Options of gunicorn that only its own workers read: each would silently have no effect, and most have a setting."""

from collections.abc import Iterator

from gunicorn.config import Config

_HEAD = "MAX_HEADER_BYTES is the limit of a request's head"
_LOG = "each request has a line of the log, on stderr (LOG_LEVEL, LOG_FORMAT)"
_PROXY = "PROXY_PROTOCOL=1 reads the line of a balancer, from whoever connects"
_HOOK = "no hook of an ASGI process; write a middleware"
_END = "the process ends by its lifespan; close what is open there"

INSTEAD = {
    "forwarded_allow_ips": "FORWARDED_ALLOW_IPS names the proxies that are believed",
    "secure_scheme_headers": "X-Forwarded-Proto is read, from proxies of FORWARDED_ALLOW_IPS",
    "proxy_protocol": _PROXY,
    "proxy_allow_ips": _PROXY,
    "limit_request_line": _HEAD,
    "limit_request_fields": _HEAD,
    "limit_request_field_size": _HEAD,
    "worker_connections": "MAX_BODY_BYTES_IN_FLIGHT and REQUEST_TIMEOUT bound what is under way",
    "threads": "a process has one event loop; WEB_CONCURRENCY is the number of processes",
    "accesslog": _LOG,
    "access_log_format": _LOG,
    "errorlog": "the log goes to stderr, or wherever logconfig_dict sends it",
    "logconfig": "set logconfig_dict below the call of `configure`",
    "logconfig_json": "set logconfig_dict below the call of `configure`",
    "pre_request": _HOOK,
    "post_request": _HOOK,
    "worker_int": _END,
    "worker_abort": _END,
    "ssl_context": "uvicorn makes it of keyfile, certfile, ssl_version, cert_reqs, ca_certs and ciphers",
}


def ignored(cfg: Config) -> Iterator[str]:
    """A sentence for each of them that is not as by default."""
    default = Config().settings
    for name, instead in INSTEAD.items():
        if name == "errorlog" and cfg.capture_output:  # then stdout and stderr go there
            continue
        if name in default and cfg.settings[name].get() != default[name].get():
            yield f"{name}: it has no effect here; {instead}"
