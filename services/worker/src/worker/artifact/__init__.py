"""The warm artifact: a model's whole pipeline, exported once, so that a start neither imports torch nor optimizes."""
