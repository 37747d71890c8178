"""Work on threads: compiled kernels and file access release the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any


def run_on_threads(work: Callable[[Any], Any], items: Iterable[Any], threads: int) -> list[Any]:
    """Call `work` on each item on a pool of threads; on an error cancel what has not started and raise it.

    Context variables have the values there that they have here.
    """
    items = list(items)
    if threads <= 1 or len(items) <= 1:
        return [work(item) for item in items]
    pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="band")
    futures: list[Future] = []
    try:
        futures = [pool.submit(copy_context().run, work, item) for item in items]
        wait(futures, return_when=FIRST_EXCEPTION)
        failed = next((f for f in futures if f.done() and f.exception()), None)
        if failed is not None:
            raise failed.exception()  # type: ignore[misc]
        return [f.result() for f in futures]
    finally:
        for future in futures:
            future.cancel()
        pool.shutdown(wait=True)
