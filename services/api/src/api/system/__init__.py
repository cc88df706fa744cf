"""What `GET /v1/system` tells: how the api and every worker are now, and counts from which a page makes its charts."""
