"""API keys: named, hashed at rest, added and revoked while the api serves. The command: `python -m api.keys`."""
