"""A cluster that a batch system starts: what is told of it in TOML, and the script of its jobs."""

from typing import Any

import pytest

from webbcal.core.errors import ParameterError
from webbcal.programme.executors.dask import job_script
from webbcal.programme.settings import ExecutorSettings

pytest.importorskip("dask_jobqueue")
SLURM = {
    "kind": "slurm", "jobs": 20, "cores": 8, "processes": 8, "memory": "64GB", "walltime": "04:00:00",
    "queue": "normal", "job_script_prologue": ["export CRDS_PATH=/shared/crds"],
}  # fmt: skip


def script(**words: Any) -> str:
    return job_script(ExecutorSettings("dask", jobqueue={**SLURM, **words}))


def test_the_script_is_what_the_table_says() -> None:
    lines = script().splitlines()
    assert {"#SBATCH -p normal", "#SBATCH -t 04:00:00", "export CRDS_PATH=/shared/crds"} <= set(lines)
    assert "--nworkers 8" in lines[-1] and "--nthreads 1" in lines[-1]


def test_other_batch_systems_are_known_by_their_names() -> None:
    assert "#PBS -q normal" in script(kind="PBS").splitlines()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"kind": "slum"}, "executor.jobqueue.kind = 'slum': must be one of .*slurm"),
        ({"kind": ""}, "executor.jobqueue.kind = ''"),
        ({"jobs": 0}, "executor.jobqueue.jobs"),
        ({"colour": "red"}, "executor.jobqueue: .*colour"),
        ({"cores": None}, "executor.jobqueue: .*cores"),
    ],
)
def test_tables_that_make_no_sense_are_refused(words: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        script(**words)
