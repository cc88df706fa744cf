"""`python -m observability.rule` copies the alerts into the object that the Prometheus Operator reads."""

from pathlib import Path
from textwrap import indent

ALERTS = Path(__file__).parent / "alerts.yaml"
FILE = ALERTS.parents[1] / "k8s" / "components" / "prometheus-operator" / "alerts.yaml"
OBJECT = """\
# The groups of observability/alerts.yaml, copied by `python -m observability.rule`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: warmstart
  namespace: warmstart
  labels:
    app.kubernetes.io/part-of: warmstart
    release: prometheus  # as in pod-monitor.yaml
spec:
"""


def text() -> str:
    """The file's content."""
    alerts = ALERTS.read_text()
    return OBJECT + indent(alerts[alerts.index("groups:\n") :], "  ")


if __name__ == "__main__":
    FILE.write_text(text())
