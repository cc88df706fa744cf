"""The connection of a client, before any application sees a request."""
