"""Keeps an estimator to the threads of its process: its own jobs, BLAS and OpenMP count the host's CPUs."""

from typing import Any

import numpy as np


def limit(estimator: Any, threads: int) -> None:
    """Limit the estimator, and the pools of its libraries. Call it on the thread that will predict.

    OpenMP's number belongs to the calling thread, and joblib's backend, too. By default joblib would start processes.
    """
    import joblib  # noqa: PLC0415
    import threadpoolctl  # noqa: PLC0415

    threadpoolctl.threadpool_limits(threads)
    joblib.parallel_config("threading")
    _limit_jobs(estimator, threads, set())


def _limit_jobs(part: Any, threads: int, seen: set[int]) -> None:
    """Lower `n_jobs` of all estimators within `part`. Fitted ones are not reached by `set_params`."""
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, dict):
        within = list(part.values())
    elif isinstance(part, list | tuple):
        within = list(part)
    elif isinstance(part, np.ndarray):
        within = list(part.flat) if part.dtype == object else []
    else:
        attributes = getattr(part, "__dict__", {}) if hasattr(part, "get_params") else {}
        jobs = attributes.get("n_jobs")
        if isinstance(jobs, int):
            part.n_jobs = min(threads, jobs if jobs > 0 else threads)
        within = list(attributes.values())
    for each in within:
        _limit_jobs(each, threads, seen)
