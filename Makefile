# make demo   sets everything up once, then runs the main job in simulation
# make test   sets everything up once, then runs lint, types and tests
# Variables:  PYTHON       interpreter to build .venv with (3.10 to 3.13)
#             TORCH_INDEX  package index with the CPU build of PyTorch, for users whose index only has the CUDA build
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.setup
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
REQUIREMENTS := requirements.txt requirements-ros.txt requirements-dev.txt

.DELETE_ON_ERROR:
.PHONY: setup demo test lint clean help

help:
	@sed -n '/^#/!q;s/^# //p' Makefile

setup: $(DONE)/package

$(DONE)/environment: tools/system_packages.sh
	tools/system_packages.sh $(PYTHON)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@mkdir -p $(DONE)
	@touch $@

$(DONE)/requirements: $(DONE)/environment $(REQUIREMENTS)
	$(PIP) install --quiet --progress-bar off $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(REQUIREMENTS:%=-r %)
	@touch $@

$(DONE)/interfaces: $(DONE)/requirements tools/build_interfaces.py $(shell find interfaces -type f)
	$(BIN)/python tools/build_interfaces.py
	@touch $@

$(DONE)/package: $(DONE)/interfaces setup.py setup.cfg package.xml pyproject.toml
	$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

demo: setup
	$(BIN)/grasp-pose-net demo --episodes 3 --seed 1

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

clean:
	rm -rf $(VENV) .cache build *.egg-info
