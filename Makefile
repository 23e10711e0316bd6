# Commands, each with all its set-up: `make demo`, `make test`, `make fuzz` (reads a million broken files;
# `make fuzz INPUTS=500` reads 500 made of each sample), `make gallery` (the pictures of docs), `make docs` (the site),
# `make release` (wheel and sdist in outputs/dist, checked and installed). They need Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin

INPUTS ?= 14000
EXTRAS ?= none all
WHEEL_LIMIT := 45000000

.PHONY: demo test fuzz gallery docs release lint clean

demo: .venv/installed
	$(BIN)/motionrep demo --output outputs/demo

test: .venv/installed
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal --durations 25 --durations-min 5

fuzz: .venv/installed
	MOTIONREP_FUZZ=$(INPUTS) $(BIN)/python -m pytest --numprocesses auto tests/fuzz

gallery: .venv/installed
	$(BIN)/python examples/gallery.py docs/gallery

docs: .venv/installed
	$(BIN)/python docs/draw_imports.py docs/imports.svg
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -c docs . outputs/site
	@echo "open outputs/site/docs/index.html"

# build makes the wheel from the sdist, so a wheel says that the sdist is whole.
release: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'build>=1.2' 'twine>=6.1'
	rm -rf outputs/dist
	$(BIN)/python -m build --outdir outputs/dist
	$(BIN)/python -m twine check --strict outputs/dist/*
	@size=$$(stat --format %s outputs/dist/*.whl); test $$size -lt $(WHEEL_LIMIT) \
		|| { echo "the wheel has $$size bytes, the limit is $(WHEEL_LIMIT)"; exit 1; }
	$(BIN)/python benchmarks/installs.py outputs/dist/*.whl --extras $(EXTRAS)

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

# rtmlib, of a detector that tests compare with, asks for an OpenCV that needs OpenGL; it runs with the one without windows.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"motionrep needs Python 3.11 or newer, {sys.executable} is {sys.version.split()[0]}; pass another one: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "This Python cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	@echo "installing into .venv; torch alone is large, so this takes a few minutes"
	@$(BIN)/python -m pip install --disable-pip-version-check --retries 2 --constraint constraints.txt --editable '.[dev]' 2> .venv/pip.log \
		&& $(BIN)/python -m pip install --disable-pip-version-check --retries 2 --constraint constraints.txt --no-deps rtmlib opencv-python-headless 2>> .venv/pip.log \
		|| { echo "The packages could not be installed. Is there a network? .venv/pip.log has what pip says."; exit 1; }
	@touch $@

clean:
	rm -rf .venv outputs
