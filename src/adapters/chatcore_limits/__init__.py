"""Rate limits in memory, by the library `limits`."""

try:
    from .limiter import MemoryRateLimiter as MemoryRateLimiter
    from .limiter import parse_rate as parse_rate
except ModuleNotFoundError as _missing:
    if _missing.name != "limits":
        raise
    raise ModuleNotFoundError(
        f"chatcore_limits needs {_missing.name}; in a clone of chatcore: pip install '.[accounts]'", name=_missing.name
    ) from _missing
