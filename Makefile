# make demo   set up, simulate a full-frame exposure, calibrate it, make a picture
# make mosaic simulate four dithered exposures, make their mosaic and catalogue, and a picture (INSTRUMENT=nircam)
# make test   set up, check style and types, run all tests (with the jwst package in an environment of its own),
#             the documentation with its tutorials among them
# make test-readers  what people open spectra with takes ours: specutils and jdaviz, in an environment of their own (1.2 GB)
# make docs   build the documentation in docs/_build/html; its tutorials and examples are executed
# make bench  compare speed and memory with jwst, in one run: stage 1
# make bench-imaging  the same: stages 2 and 3 for imaging (a quarter of an hour, 8 GB)
# make bench-slits  models of many slits and spectra beside jwst (half an hour, nearly all of it jwst's)
PYTHON ?= python3
VENV := .venv
PEER := .venv-peer
READERS := .venv-readers
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
WORKERS ?= 2
INSTRUMENT ?= nircam

.PHONY: demo mosaic test test-readers lint docs bench bench-imaging bench-slits clean

demo: $(VENV)/.demo
	$(VENV)/bin/webbcal demo --output_dir=demo

mosaic: $(VENV)/.demo
	$(VENV)/bin/webbcal demo mosaic --output_dir=demo_mosaic --instrument=$(INSTRUMENT)

test: $(VENV)/.test $(VENV)/.docs $(PEER)/.ready lint
	WEBBCAL_PEER_PYTHON=$(abspath $(PEER)/bin/python) $(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadgroup $(TESTS)

test-readers: $(VENV)/.test $(PEER)/.ready $(READERS)/.ready
	WEBBCAL_READERS_PYTHON=$(abspath $(READERS)/bin/python) WEBBCAL_PEER_PYTHON=$(abspath $(PEER)/bin/python) \
	  $(VENV)/bin/python -m pytest tests/parity/test_spectra_readers.py

lint: $(VENV)/.test
	$(VENV)/bin/ruff check src tests benchmarks
	$(VENV)/bin/ruff format --check src tests benchmarks
	$(VENV)/bin/mypy

docs: $(VENV)/.docs
	$(VENV)/bin/python -m sphinx -W --keep-going -q -j $(WORKERS) -b html docs docs/_build/html

bench: $(VENV)/.test $(PEER)/.ready
	WEBBCAL_PEER_PYTHON=$(abspath $(PEER)/bin/python) $(VENV)/bin/python benchmarks/detector1.py

bench-imaging: $(VENV)/.test $(PEER)/.ready
	WEBBCAL_PEER_PYTHON=$(abspath $(PEER)/bin/python) $(VENV)/bin/python benchmarks/imaging.py

bench-slits: $(VENV)/.test $(PEER)/.ready
	WEBBCAL_PEER_PYTHON=$(abspath $(PEER)/bin/python) $(VENV)/bin/python benchmarks/slits.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml
	$(PIP) -e '.[simulate]'
	touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml
	$(PIP) -e '.[test,dask]'
	touch $@

$(VENV)/.docs: $(VENV)/bin/python pyproject.toml
	$(PIP) -e '.[docs]'
	touch $@

# The official pipeline is compared with, never imported: it lives apart, with webbcal beside it, as some users
# have them.
$(PEER)/.ready: pyproject.toml
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/python -m pip install --quiet --disable-pip-version-check jwst==3.0.0 specutils -e .
	touch $@

$(READERS)/.ready: pyproject.toml
	$(PYTHON) -m venv $(READERS)
	$(READERS)/bin/python -m pip install --quiet --disable-pip-version-check jdaviz==5.0.2 specutils==2.4.0
	touch $@

clean:
	rm -rf $(VENV) $(PEER) $(READERS) demo demo_mosaic docs/_build docs/api .bench .mypy_cache .ruff_cache .pytest_cache
