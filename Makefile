# make setup     the environment in .venv, with the exact versions of requirements.lock
# make demo      from drawn characters to a trained model and its accuracy, in demo/
# make test      lint and tests, in under 5 minutes
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

demo: .venv/runtime
	rm -rf demo
	mkdir demo
	$(BIN)/python draw_samples.py demo/characters --count 60
	$(BIN)/python create_dataset.py demo/characters --output demo/characters_dataset --label-encoding euc-jp
	$(BIN)/python model.py --dataset demo/characters_dataset --output demo/model --epochs 4 --no-refit
	$(BIN)/python draw_samples.py demo/unseen --count 5 --seed 2
	$(BIN)/python classify.py --model demo/model --characters demo/unseen > demo/labels.txt
	head -n 3 demo/labels.txt
	awk '{ n = split($$1, part, "/"); right += part[n - 1] == $$2 } \
	  END { printf "%d of %d pictures by other hands are right: %.1f %%\n", right, NR, 100 * right / NR }' demo/labels.txt

test: .venv/development lint
	$(BIN)/python -m pytest -m "not slow"

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
