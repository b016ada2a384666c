# make lab         open the lessons in JupyterLab
# make test        unit tests, and every notebook run and compared
# make check       before each commit, a minute: style, quick unit tests
# make refresh     run every notebook in place and keep its outputs
# make slides      a deck for each lesson in _slides; needs npm
# make assignment  the students' version of the graded assignment
# make key         the teacher's key to the exercises, notebooks/teach/key.md
# make site        the book, and the lessons without a server, in _site
# make book        the same; needs npm
# make links       the README's buttons, from this repository's remote
# make bench       speed and memory, as ratios, on this machine; the clinic
# make bench-gpu   tests, numerics and speed on a GPU, nine minutes at most
# make record      the experiments that lessons only read, several hours

PYTHON ?= python3
VENV ?= .venv
LAB_ARGS ?= $(if $(filter 0,$(shell id -u)),--allow-root)
BIN = $(VENV)/bin
PYTEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	$(BIN)/python -m pytest -n 2 --dist loadfile
FIRST = notebooks/00_start_here.ipynb
# its pop-up asks about Jupyter news, over the lesson
NEWS = "@jupyterlab/apputils-extension:announcements"

lab: $(VENV)/installed
	$(BIN)/jupyter lab $(LAB_ARGS) --ServerApp.root_dir=. $(FIRST)

test: style
	$(PYTEST) --nbval --nbval-current-env

check: style
	$(PYTEST) tests -m "not browser and not slow"

style: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

refresh: $(VENV)/installed-test
	$(BIN)/python tools/refresh.py notebooks/*.ipynb

slides: $(VENV)/installed
	$(BIN)/python tools/slides.py _slides notebooks/*.ipynb

key: $(VENV)/installed
	$(BIN)/python tools/answer_key.py notebooks/teach/key.md

assignment: $(VENV)/installed-teach
	cd notebooks/teach && PATH="$(abspath $(BIN)):$$PATH" \
		nbgrader generate_assignment focal_loss --force

site: book

book: $(VENV)/installed-site
	$(BIN)/python tools/build_site.py

links:
	$(PYTHON) tools/links.py README.md

bench: $(VENV)/installed
	$(BIN)/python -m focal_edu.benchmark
	PYTHONPATH=. $(BIN)/python tools/time_clinic.py

bench-gpu: $(VENV)/installed-test
	$(BIN)/python tools/bench_gpu.py

record: $(VENV)/installed
	for program in tools/record_*.py; do \
		OMP_NUM_THREADS=1 $(BIN)/python $$program || exit 1; done

$(VENV)/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -r requirements.txt -e .
	$(BIN)/jupyter labextension disable $(NEWS)
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/pip install -r requirements.txt -e ".[test,teach,site]"
	touch $@

$(VENV)/installed-site: $(VENV)/installed
	$(BIN)/pip install -r requirements.txt -e ".[site]"
	touch $@

$(VENV)/installed-teach: $(VENV)/installed
	$(BIN)/pip install -r requirements.txt -e ".[teach]"
	touch $@

.PHONY: lab test check refresh slides assignment key site book links bench bench-gpu record style
