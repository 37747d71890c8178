"""Runs scripts of the peer's environment, each in a fork of a process that has jwst loaded already.

Loading it takes longer than most scripts run. Jobs come on standard input, a line of JSON each, one after the
other; for each a line on standard output says how it ended.
"""

import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path

import jwst.pipeline
import jwst.step
from stdatamodels.jwst import datamodels


def load():
    """Load what every script needs: classes of steps and schemas of models."""
    assert jwst.pipeline.Detector1Pipeline and jwst.step.JumpStep
    for cls in (datamodels.RampModel, datamodels.ImageModel, datamodels.CubeModel):
        cls().close()


def run(job):
    """Run a script in this process as if it had been started with these words, files and variables."""
    signal.alarm(job["timeout"])
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, (name, mode) in enumerate(zip(("stdin", "stdout", "stderr"), modes, strict=True)):
        os.dup2(os.open(job[name], mode), number)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.argv = [job["script"], *job["words"]]
    sys.path.insert(0, str(Path(job["script"]).parent))
    runpy.run_path(job["script"], run_name="__main__")


def status_of(job):
    """Run a job in a fork; return its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            run(job)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


load()
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"number": asked["number"], "status": status_of(asked)}), file=answers, flush=True)
