"""The one way to a kernel."""

import inspect
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

from webbcal import kernels


def test_a_kernel_on_both_backends():
    stack = np.array([[[1.0]], [[np.nan]], [[4.0]]], np.float32)
    for backend in kernels.BACKENDS:
        assert kernels.get("stack", backend).nanmedian(stack) == 2.5
    assert kernels.get("stack").nanmedian is import_module("webbcal.kernels.stack.cpu").nanmedian


def test_what_is_not_known_is_named():
    with pytest.raises(ValueError, match=r"'stacks'.*stack"):
        kernels.get("stacks")
    with pytest.raises(ValueError, match=r"'gpu'.*cpu, reference"):
        kernels.get("stack", "gpu")
    with pytest.raises(AttributeError, match="nothing"):
        _ = kernels.get("stack").nothing


@pytest.mark.parametrize("name", [n for n in kernels.NAMES if n != "distribution"])
def test_definitions_have_a_compiled_counterpart_with_the_same_arguments(name):
    cpu = import_module(f"webbcal.kernels.{name}.cpu")
    reference = import_module(f"webbcal.kernels.{name}.reference")
    mine = {
        n: f
        for n, f in vars(reference).items()
        if inspect.isfunction(f) and f.__module__ == reference.__name__ and not n.startswith("_")
    }
    shared = [n for n in mine if hasattr(cpu, n)]
    assert shared
    for n in shared:
        assert list(inspect.signature(getattr(cpu, n)).parameters) == list(
            inspect.signature(mine[n]).parameters
        )


def test_asking_is_light_and_remembered():
    code = (
        "import sys\n"
        "from webbcal import kernels\n"
        "jump, image = kernels.get('jump'), kernels.get('stack', 'reference')\n"
        "print(jump, kernels.expected(), 'numba' in sys.modules, 'numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "<kernels of webbcal.kernels.jump.cpu> ['jump'] False False\n"
