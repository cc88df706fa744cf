"""A scikit-learn estimator beside the model: `POST /predict`. Imported only where PREDICTOR names its file."""
