"""Load tests and the cold-start lab. See README.md beside this file."""
