# Two commands: `make run` opens the app, `make test` passes every test. Both set up what they need.
# Browser tests run by themselves: each has a browser, an app and a worker at work already.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
NEW_POINTS := runs/new-points.sqlite

.PHONY: run test pictures points lab check setup clean

run: $(VENV)/.runtime
	$(BIN)/python -m hma app --port $(PORT)

test: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/browser
	$(BIN)/python -m pytest tests/browser

# Every page in light and dark, wide and narrow, into screenshots/; those that the README shows into docs/.
pictures: $(VENV)/.development
	$(BIN)/python -m pytest tests/browser/test_pages.py -k fits
	$(BIN)/python -m tests.browser.pictures

# Measure the shipped points again: the MA sweep on each choice of items, and a coarse grid to choose by.
# Interrupted, it goes on where it stopped.
points: $(VENV)/.runtime
	$(BIN)/python -m hma sweep --steps 11 --store $(NEW_POINTS)
	$(BIN)/python -m hma sweep --steps 5 --grid --store $(NEW_POINTS)
	$(BIN)/python -m hma sweep --steps 11 --size full --store $(NEW_POINTS)
	$(BIN)/python -m hma sweep --steps 11 --split test --store $(NEW_POINTS)
	$(BIN)/python -m hma sweep --steps 11 --split test --size full --store $(NEW_POINTS)
	$(BIN)/python -m hma.lab.shipping $(NEW_POINTS)
	mv $(NEW_POINTS) data/miniature/points.sqlite

# Make the miniature again from nothing (minutes), then its points.
lab: $(VENV)/.runtime
	$(BIN)/python -m hma lab build --out data/miniature --force
	$(MAKE) points

# What the miniature claims, on three seeds, with the noise (stays outside `make test`).
check: $(VENV)/.runtime
	$(BIN)/python -m hma lab check

setup: $(VENV)/.development

$(BIN)/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed; name one with PYTHON=...')"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.development: requirements-dev.txt requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $(VENV)/.runtime $@

clean:
	rm -rf $(VENV) runs screenshots
