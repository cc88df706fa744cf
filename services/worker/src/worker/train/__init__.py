"""Makes a head: a small classifier of texts, trained on the vectors of labelled ones, which `PREDICTOR` serves."""
