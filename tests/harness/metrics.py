"""How an answer of `/metrics` says things."""


def answers(method: str, route: str, status: int) -> str:
    """The sample that counts the answers of a route, without its number."""
    labels = {"http_request_method": method, "http_response_status_code": status, "http_route": route}
    said = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"http_server_request_duration_seconds_count{{{said}}}"
