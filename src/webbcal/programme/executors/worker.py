"""A worker process: ``python -m webbcal.programme.executors.worker``.

It reads tasks from stdin, a line each, and answers on stdout. When stdin ends, whoever has started it is
gone, and it ends at once: what it was making is swept up by the next run.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading

from webbcal.core import own_process
from webbcal.core.interruption import listen, raise_if_asked
from webbcal.programme.executors.interface import Share, Task, tried


def main() -> None:
    """Do tasks until there are no more."""
    listen()
    own_process.begin()
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print is no answer
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(os.dup(0), tasks), daemon=True).start()
    try:
        while True:
            raise_if_asked()
            answers.write(_answer(json.loads(tasks.get())) + b"\n")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)


def _read(source: int, tasks: queue.SimpleQueue[bytes]) -> None:
    """Read tasks; without Python's buffers, whose locks would be in the way when the process ends."""
    rest = b""
    while piece := os.read(source, 1 << 16):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            tasks.put(line)
    os._exit(1)


def _answer(words: dict[str, object]) -> bytes:
    task = Task("", str(words["function"]), words["argument"])  # type: ignore[arg-type]
    share = Share(words["threads"], words["memory"])  # type: ignore[arg-type]
    outcome = tried(task, share)
    return json.dumps({"result": outcome.result, "error": outcome.error}).encode()


if __name__ == "__main__":
    main()
