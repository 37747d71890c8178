"""Compiling kernels: once, by one process at a time, with help, and wherever webbcal is installed."""

import json
import os
import subprocess
import sys
import textwrap
import threading
from importlib import import_module
from pathlib import Path

import pytest

from webbcal.kernels import compiling, warm_up

SMALL = "frames"  # a package that compiles quickly


def run(code, cache, **environment):
    env = os.environ | {"NUMBA_CACHE_DIR": str(cache)} | environment
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def kept(cache):
    return sorted(p.name for p in Path(cache).rglob("*.nbc"))


def test_every_package_of_kernels_can_be_warmed_up():
    packages = {p.parent.name for p in Path(compiling.__file__).parent.glob("*/cpu.py")}
    assert packages == set(warm_up.NAMES)
    for name in packages:
        assert callable(import_module(f"webbcal.kernels.{name}.cpu").warm_up)


@pytest.fixture(scope="module")
def compiled():
    """Package -> how many versions of each kernel `warm_up` compiles, where nobody else calls them."""
    code = f"""
        import inspect, json
        from importlib import import_module
        versions = {{}}
        for name in {warm_up.NAMES!r}:
            module = import_module(f"webbcal.kernels.{{name}}.cpu")
            module.warm_up()
            functions = [f for f in vars(module).values() if inspect.isfunction(f)]
            wrappers = [f for f in functions if hasattr(f, "__wrapped__")]
            kernels = [inspect.getclosurevars(f).nonlocals["compiled"] for f in wrappers]
            versions[name] = {{k.__name__: len(k.signatures) for k in kernels}}
        print(json.dumps(versions))
    """
    return json.loads(run(code, os.environ.get("NUMBA_CACHE_DIR", "")))


@pytest.mark.parametrize("name", warm_up.NAMES)
def test_warm_up_compiles_every_kernel_once(name, compiled):
    assert compiled[name]
    assert set(compiled[name].values()) == {1}, compiled[name]


def test_the_first_use_says_so_and_gets_help(tmp_path):
    code = f"""
        import logging, sys
        said = []
        class Handler(logging.Handler):
            def emit(self, record):
                said.append(record.getMessage())
        logging.getLogger("webbcal.kernels.compiling").addHandler(Handler())
        logging.getLogger("webbcal.kernels.compiling").setLevel("INFO")
        from webbcal.kernels import compiling
        import webbcal.kernels.charge, webbcal.kernels.{SMALL}.cpu
        started = []
        compiling._end_with_us = lambda process: started.append((process.args, process.wait()))
        webbcal.kernels.{SMALL}.cpu.warm_up()
        print(said, [a[2:] for a, code in started], [code for a, code in started])
    """
    said = "['compiling kernels, once per installation']"
    helped = "[['webbcal.kernels.warm_up', 'charge', 'frames']] [0]"
    assert run(code, tmp_path, WEBBCAL_THREADS="2") == f"{said} {helped}"
    assert [name.split("-")[0] for name in kept(tmp_path)] == ["cpu._average", "cpu._decode", "cpu._flag"]
    assert run(code, tmp_path, WEBBCAL_THREADS="2") == "[] [] []"
    assert run(code, tmp_path / "other", WEBBCAL_THREADS="1") == f"{said} [] []"


def test_a_process_waits_for_another_that_compiles(tmp_path):
    folder = str(tmp_path)
    with compiling.sole_compiler(folder) as mine:
        assert mine
        other = f"""
            from webbcal.kernels import compiling
            with compiling.sole_compiler({folder!r}, wait=False) as ours:
                print(ours)
        """
        assert run(other, tmp_path) == "False"
        with compiling.sole_compiler(folder) as again:  # by the same thread
            assert again
    assert run(other, tmp_path) == "True"


def test_threads_wait_for_each_other(tmp_path):
    order = []

    def second():
        with compiling.sole_compiler(str(tmp_path)):
            order.append("second")

    thread = threading.Thread(target=second)
    with compiling.sole_compiler(str(tmp_path)):
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


@pytest.mark.parametrize("folder", [None, "/proc/nowhere"])
def test_where_there_is_nothing_to_lock(folder):
    with compiling.sole_compiler(folder, wait=False) as ours:
        assert ours


def test_without_a_place_to_keep_them(tmp_path):
    """A read-only installation, and a user without a writable home."""
    code = f"""
        from numba.core import caching
        def unwritable(self):
            raise OSError("read-only")
        for locator in vars(caching).values():
            if isinstance(locator, type) and hasattr(locator, "ensure_cache_path"):
                locator.ensure_cache_path = unwritable
        from webbcal.kernels import compiling
        import webbcal.kernels.charge, webbcal.kernels.{SMALL}.cpu as cpu
        compiling._start_helpers = lambda: print("helpers")
        cpu.warm_up()
        print(compiling.folders)
    """
    assert run(code, tmp_path) == f"{{'webbcal.kernels.{SMALL}.cpu': None}}"
    assert kept(tmp_path) == []


def test_the_display_of_the_command_line_tells(capsys):
    from webbcal.cli import display

    earlier, shown = display.make(), display.make()
    compiling.log.info("compiling kernels, once per installation")
    assert capsys.readouterr().err == "compiling kernels, once per installation …\n"
    del earlier, shown
    compiling.log.info("nobody is watching")
    assert capsys.readouterr().err == ""
    assert compiling.log.name == display.NEWS


def test_a_helper_in_another_file_is_compiled_anew_when_it_has_changed(tmp_path):
    package = tmp_path / "tiny"
    package.mkdir()
    kernel = "from webbcal.kernels.compiling import kernel\nfrom beside import scaled\n"
    (package / "cpu.py").write_text(f"{kernel}@kernel\ndef run(x):\n    return scaled(x)\n")
    code = f"""
        import sys
        sys.path.insert(0, {str(package)!r})
        import cpu
        print(cpu.run(1.0))
    """
    answers = []
    for factor in (2.0, 3.0, 3.0):
        helper = "from webbcal.kernels.compiling import helper\n@helper\n"
        (package / "beside.py").write_text(f"{helper}def scaled(x):\n    return {factor} * x\n")
        answers.append((run(code, tmp_path / "kept"), len(kept(tmp_path / "kept"))))
    assert answers == [("2.0", 1), ("3.0", 1), ("3.0", 1)]
