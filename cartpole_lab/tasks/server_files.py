"""Is a file on a server within reach? Asked before a simulator starts, with a limit on the waiting."""

from __future__ import annotations

import concurrent.futures
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from typing import Any

_REMOTE = ("http", "https", "omniverse", "s3")


def is_remote(path: Any) -> bool:
    """True for text such as ``https://…`` or ``omniverse://…``."""
    return isinstance(path, str) and urllib.parse.urlparse(path).scheme in _REMOTE


def unreachable(urls: Iterable[str], timeout_s: float = 10.0) -> dict[str, str]:
    """Ask for every file at once, without fetching it.

    Args:
        urls: Addresses of files.
        timeout_s: All answers that are not there by then count as missing [s]. Names that do not resolve and servers
            that never answer are both bounded by it.

    Returns:
        The files out of reach, each with the reason.
    """
    urls = list(dict.fromkeys(urls))
    deadline = time.monotonic() + timeout_s
    # not as a context manager: leaving one would wait for the threads that still hang
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(8, len(urls))))
    waiting = {url: pool.submit(_why_not, url, timeout_s) for url in urls}
    reasons: dict[str, str] = {}
    for url, future in waiting.items():
        try:
            reason = future.result(timeout=max(0.0, deadline - time.monotonic()))
        except concurrent.futures.TimeoutError:
            reason = f"no answer within {timeout_s:g} s"
        if reason:
            reasons[url] = reason
    pool.shutdown(wait=False, cancel_futures=True)
    return reasons


def _why_not(url: str, timeout_s: float) -> str:
    """The reason why a file cannot be read, empty if it can."""
    if urllib.parse.urlparse(url).scheme not in ("http", "https"):
        return "needs an Omniverse client, which comes with Isaac Sim"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout_s):
            return ""
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except (urllib.error.URLError, OSError, ValueError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
