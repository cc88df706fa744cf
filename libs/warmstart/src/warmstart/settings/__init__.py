"""What a service reads from its environment, and from files that it names."""
