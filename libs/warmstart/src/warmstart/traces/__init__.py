"""Traces: what each request waited for, as spans of OpenTelemetry. Nothing is imported for them unless they are on."""
