"""Traces: what each request waited for, as spans of OpenTelemetry. Without them nothing imports its SDK."""
