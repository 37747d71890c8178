"""Simulated fields, calibrated and combined by both packages: once a session, for all that look at them."""

from contextlib import contextmanager

import imaging_runs
import pytest
from imaging_scenes import simulate_fields


@pytest.fixture(scope="session")
def fields(tmp_path_factory):
    """Rates of the four imagers."""
    return simulate_fields(tmp_path_factory.mktemp("imaging"))


@pytest.fixture(scope="session")
def calibrated(fields):
    """Stage 2 of all of them."""
    with _among(fields):
        return imaging_runs.stage2(fields)


@pytest.fixture(scope="session")
def combined(calibrated):
    """Stage 3 of all fields, and of one with many parameters."""
    with _among(calibrated.fields):
        return imaging_runs.stage3(calibrated)


@contextmanager
def _among(fields):
    """Set the variables for the fields' references, and go where they are: jwst looks there for members."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in fields.environment.items():
            patch.setenv(name, value)
        patch.chdir(fields.folder)
        yield
