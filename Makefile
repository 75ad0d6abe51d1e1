# Every target works on a fresh clone: it makes the virtual environment and installs what it needs.
PYTHON ?= python3
BIN := .venv/bin
RUN := .venv/.sandbox-installed
DEV := .venv/.dev-installed
GATES := .venv-gates/.installed

.PHONY: run demo test proof proof-honest pictures contract lint gates app-doctor bench clean crash crash-sample crash-honest hostile storm

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

$(RUN): $(BIN)/python requirements.txt simulators/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r simulators/requirements.txt
	@touch $@

$(DEV): $(BIN)/python requirements.txt simulators/requirements.txt requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(RUN)

run: $(RUN)  ## the whole product with its sandbox: plays two exchanges, then stays
	$(BIN)/python -m simulators.demo --stay

demo: $(RUN)  ## the same two exchanges on free ports; ends with 0 only if both ended as they must
	$(BIN)/python -m simulators.demo --folder instance/demo

test: $(DEV)  ## all tests; PostgreSQL and Valkey come from wheels
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

contract: $(DEV)  ## what we rely on in an OMS: OMS_URL=… OMS_USERNAME=… OMS_PASSWORD=… [OMS_DOMAIN=…], else the simulator
	$(BIN)/python -m pytest tests/contract -q --tb=short $(ARGS)

proof: $(DEV)  ## only the laws as a state machine, 300 runs of 30 steps; `make test` makes them too
	$(BIN)/python -m pytest -n 2 tests/properties

crash-sample: $(DEV)  ## one crash run of 2,000 events with every failpoint hit once; five minutes on two free cores
	$(BIN)/python -m tests.crash sample $(ARGS)

crash: $(DEV)  ## all crash runs (docs/reliability.md); hours. Each part bounded; ARGS="--seconds 600" bounds them tighter
	$(BIN)/python -m tests.crash all $(ARGS)

crash-honest: $(DEV)  ## each planted bug must be caught, or this fails
	$(BIN)/python -m tests.crash honest $(ARGS)

hostile: $(DEV)  ## healthy partners beside hostile ones: their speed, the worker's memory, deadlines, probes; ten minutes
	$(BIN)/python -m tests.hostile $(ARGS)

storm: $(DEV)  ## an OMS that is down with 50,000 effects waiting, calls a minute, floods of updates; half an hour
	$(BIN)/python -m tests.storm $(ARGS)
	$(BIN)/python -m tests.storm --database sqlite --effects 2000 --updates 500 $(ARGS)

proof-honest: $(DEV)  ## faults are planted in the product, one at a time, and the laws must find each; some minutes
	$(BIN)/python -m pytest -n 2 -rP tests/properties/mutations.py

pictures: $(DEV)  ## the README's pictures of the pages, made anew
	$(BIN)/python -m pytest -q tests/browser/pictures.py

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(GATES): requirements-gates.txt
	$(PYTHON) -m venv .venv-gates
	.venv-gates/bin/pip install --quiet --disable-pip-version-check -r requirements-gates.txt
	@touch $@

gates: $(GATES)  ## security: bandit, our semgrep rules, secret scan, known vulnerabilities
	.venv-gates/bin/python scripts/gates.py

app-doctor:  ## Shopify's own offline checker (npm, Node 22)
	.ci/app-doctor

bench: $(DEV)  ## idle memory and the speed of claims, on this machine
	$(BIN)/python -m bench.idle_memory
	$(BIN)/python -m bench.claiming

clean:
	rm -rf .venv .venv-gates instance
