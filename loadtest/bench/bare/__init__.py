"""Applications that show the limits of the api's cache hits."""
