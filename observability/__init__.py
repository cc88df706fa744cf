"""The Grafana dashboard as code, beside the alert rules and the settings of Prometheus, Grafana and Jaeger."""
