"""Run steps and pipelines of jwst, as a list of jobs says. Runs in the peer's environment only.

The jobs come on standard input. A job names a class, its input, where results go, and its parameters. The
answer, on the last line of standard output, says for each job how long it took or how it failed.
"""

import json
import logging
import sys
import time
import warnings

import jwst.pipeline
import jwst.step

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")


def run(job):
    cls = getattr(jwst.pipeline, job["class"], None) or getattr(jwst.step, job["class"])
    start = time.perf_counter()
    try:
        result = cls.call(job["input"], output_dir=job["output_dir"], **job["parameters"])
    except Exception as error:
        return {"error": repr(error)}
    results = result if isinstance(result, (tuple, list)) else [result]
    classes = [type(r).__name__ for r in results]
    for r in results:
        if hasattr(r, "close"):
            r.close()
    return {"seconds": time.perf_counter() - start, "classes": classes}


print(json.dumps([run(job) for job in json.load(sys.stdin)]))
