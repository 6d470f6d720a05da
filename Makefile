# make setup     the environment in .venv, with the exact versions of requirements.lock
# make demo      from drawn characters to a trained model and its accuracy, in demo/
# make test      lint and tests, on all cores
# make test-all  the slow tests too
# make bench     our speed against others', a row in benchmarks/README.md; FOLDER=... for your pictures
# make lint, make format, make lock

PYTHON ?= python3
BIN = .venv/bin

.PHONY: setup demo test test-all bench lint format lock

CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11, 3.12 or 3.13 is needed; name one: make PYTHON=python3.12")'

setup: .venv/runtime
.venv/runtime: requirements.lock
	@$(CHECK_PYTHON)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	touch $@

.venv/development: requirements-dev.lock .venv/runtime
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	touch $@

PYTHON_IN_DEMO = cd demo && ../$(BIN)/python
demo: .venv/runtime
	rm -rf demo
	mkdir demo
	$(PYTHON_IN_DEMO) ../draw_samples.py characters --count 50
	$(PYTHON_IN_DEMO) ../create_dataset.py characters --label-encoding euc-jp
	$(PYTHON_IN_DEMO) ../create_augmented_dataset.py --copies 2 --preview 3
	$(PYTHON_IN_DEMO) ../model_for_augmented_dataset.py --epochs 1 --output model
	$(PYTHON_IN_DEMO) ../draw_samples.py unseen --count 5 --seed 2
	$(PYTHON_IN_DEMO) ../classify.py unseen --characters > labels.txt
	head -n 3 demo/labels.txt
	@awk '{ n = split($$1, part, "/"); right += part[n - 1] == $$2 } \
	  END { printf "%d of %d pictures by other hands are right: %.1f %%\n", right, NR, 100 * right / NR; \
	        exit right < 0.95 * NR }' demo/labels.txt

test: .venv/development lint
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

test-all: .venv/development lint
	$(BIN)/python -m pytest

# The peers come after the lock, so its versions stay; pip check says so.
.venv-bench/peers: requirements.lock benchmarks/requirements.txt
	@$(CHECK_PYTHON)
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --require-hashes -r requirements.lock
	.venv-bench/bin/pip install --quiet -r benchmarks/requirements.txt
	.venv-bench/bin/pip check
	touch $@

bench: .venv-bench/peers
	.venv-bench/bin/python benchmarks $(if $(FOLDER),"$(FOLDER)")

lint: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

COMPILE = uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet
lock:
	$(COMPILE) requirements.txt -o requirements.lock
	$(COMPILE) requirements-dev.txt -c requirements.lock -o requirements-dev.lock
