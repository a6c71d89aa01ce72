# The commands for developers. `make` alone lists them.
PYTHON ?= python3
ENV    ?= dev
# Another environment, for another Python: make unit PYTHON=python3.13 VENV=.venv-3.13
VENV   ?= .venv
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.requirements
COMPILED := $(VENV)/.compiled
# checkov needs other versions of packages that the other tools use, so it has an environment of its own.
CHECKOV_STAMP := .venv-checkov/.requirements
CHECKOV := .venv-checkov/bin/checkov --config-file .checkov.yaml
# The SDKs and tools that users have, each in an environment of its own: with the tests' packages they do not go together.
SDK_STAMPS := .venv-sdk-v2/.requirements .venv-sdk-v3/.requirements .venv-aws-cli/.requirements .venv-airflow/.requirements
# The libraries of the recipes for training code: those of PyTorch, and Keras. XGBoost is among the tests' packages.
RECIPES ?= torch keras
RECIPE_STAMPS := $(RECIPES:%=.venv-recipes-%/.requirements)
# uv does not read pip's settings. One of them can lead to a build of PyTorch without CUDA, which PyPI does not have.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# What the examples need: TensorFlow for the stand-in images, and the SDK that submits their rows.
EXAMPLE_STAMPS := .venv-tensorflow/.requirements .venv-sdk-v2/.requirements $(if $(filter sdk-v3,$(CLIENT)),.venv-sdk-v3/.requirements)
# The newest cfn-lint, and parliament.
CHECKS_STAMP := .venv-template/.requirements
CHECKS  := .venv-template/bin
# What drives a browser. The tests import it beside their own packages.
BROWSER_STAMP := .venv-browser/.requirements
BROWSER_PATH = $$(.venv-browser/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# Five workers keep two cores busy: they begin with end-to-end tests, which wait for most of their time.
PYTEST := $(BIN)/pytest -n 5 --dist loadfile --no-loadscope-reorder -m "not docker and not registry and not sdk and not recipes and not browser"
SAM    := PATH="$(CURDIR)/$(BIN):$$PATH" SAM_CLI_TELEMETRY=0 $(BIN)/sam
# The runtime and the architecture of an environment, which samconfig.toml has. The layers are built for them on any host.
BUILT_FOR = $$($(BIN)/python layers/overrides.py $(ENV))
BUILT  := .aws-sam/build/DependenciesLayer/python/built-for.txt
LOCK   := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
          --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# Python must write .pyc files even if the environment forbids it: otherwise each test process compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo examples quick quick-tests lint types template released pages test thorough unit e2e sdk-tests recipe-tests example-tests page-tests page-pictures layers pythons sam-local check \
        checkov simulate explore images faults fuzz mutate bench-client bench-load bench-policy bench-start command-docs cost openapi lint-rules plan-picture build deploy lock format clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## run a real training job through an interruption and an expired wait (KEEP=1, JSON=1, SVG=file)
	@PYTHONPATH=.:layers/spot_relay:client $(BIN)/python -m demo $(if $(KEEP),--keep) $(if $(JSON),--json) $(if $(SVG),--svg "$(SVG)")

examples: setup $(EXAMPLE_STAMPS) ## train the workshop's five workloads for real, through interruptions (JSON=1, CLIENT=spec, ROWS="xgboost-mnist", KEEP=1)
	@PYTHONPATH=.:layers/spot_relay:client $(BIN)/python -m workshop $(if $(JSON),--json) $(if $(KEEP),--keep) $(if $(CLIENT),--client $(CLIENT)) $(foreach row,$(ROWS),--row $(row))

quick: setup ## run the linters, mypy and the quick unit tests side by side, in less than a minute: after each change
	@$(MAKE) --no-print-directory --jobs 3 --output-sync=target lint types quick-tests

quick-tests: setup
	@$(BIN)/pytest -q -n 2 --dist loadfile -m "not slow and not registry" tests/unit tests/layers tests/mutation

lint: setup ## run all linters on all files, as .pre-commit-config.yaml lists them
	@$(BIN)/pre-commit run --all-files --show-diff-on-failure

types: setup ## check the types
	@$(BIN)/mypy

test: $(COMPILED) ## run all tests except those that need Docker or a package registry
	@$(PYTEST)

thorough: $(COMPILED) ## run the same tests with all the examples that each property test asks for
	@THOROUGHNESS=all $(PYTEST)

unit: $(COMPILED) ## run the tests that need no deployed stack
	@$(PYTEST) --ignore tests/e2e

e2e: $(COMPILED) ## run the end-to-end tests on the deployed template
	@$(BIN)/pytest -m "not sdk" tests/e2e

sdk-tests: setup $(SDK_STAMPS) ## run programs of the SageMaker Python SDK, v2 and v3, the AWS CLI and Airflow on the deployed template
	@$(BIN)/pytest -rs tests/e2e/test_sdks.py

recipe-tests: setup $(RECIPE_STAMPS) ## train with the recipes for training code, stopped and started again (RECIPES="torch keras")
	@$(BIN)/pytest -n 2 -rs tests/recipes

example-tests: setup $(EXAMPLE_STAMPS) ## train four of the examples for real, as make examples does, and check how they did
	@$(BIN)/pytest -rs tests/e2e/test_workshop.py

page-tests: setup $(BROWSER_STAMP) ## look at the pages in Chromium, which has to be installed, and press their buttons (SHOTS=folder)
	@PYTHONPATH=$(BROWSER_PATH) SHOTS="$(SHOTS)" $(BIN)/pytest -rs tests/browser

page-pictures: setup $(BROWSER_STAMP) ## write the pictures of the typical runs' pages into docs/images/pages
	@PYTHONPATH=.:layers/spot_relay:client:$(BROWSER_PATH) $(BIN)/python -m tests.browser

images: setup ## write the images of built-in algorithms from the pinned wheel of the SageMaker Python SDK, after make lock
	@rm -rf .local/images && mkdir -p .local/images
	@$(BIN)/python -m pip download --quiet --no-deps --require-hashes --dest .local/images -r requirements/images.txt
	@$(BIN)/python layers/images.py .local/images/*.whl

layers: setup ## check that the layers' packages have the right wheel for each runtime and architecture
	@$(BIN)/pytest -n 2 tests/layers

pythons: setup ## run the quick unit tests on each Python: PYTHONS="python3.12 /folder/bin/python3.14"
	@for python in $(PYTHONS); do \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) \
	    || { echo "$$python: not on this machine"; continue; }; \
	  echo "$$python: Python $$version"; \
	  $(MAKE) --no-print-directory quick-tests PYTHON=$$python VENV=.venv-$$version || exit 1; \
	done

faults: setup ## take 200 runs to their ends while their functions' calls fail (RUNS=200, SEED=7)
	@FAULTS_RUNS=$(or $(RUNS),200) FAULTS_SEED=$(or $(SEED),7) $(BIN)/pytest -rP tests/e2e/test_faults.py

sam-local: setup ## run each function in Docker with sam local
	@$(BIN)/pytest -n 2 tests/sam_local

bench-load: setup ## put the deployed stack under load (RUNS=, EVENTS=, LAUNCHES=, RATE=, JSON=1, OUT=, ENDED=, OPEN=)
	@$(BIN)/python -m bench.load $(if $(JSON),--json) $(if $(RUNS),--runs $(RUNS)) $(if $(EVENTS),--events $(EVENTS)) \
	$(if $(LAUNCHES),--launches $(LAUNCHES)) $(if $(RATE),--rate $(RATE)) \
	$(if $(OUT),--out "$(OUT)") $(if $(ENDED),--ended $(ENDED)) $(if $(OPEN),--open $(OPEN))

bench-start: setup ## measure what the functions' starts take, compared with a bare boto3 handler (JSON=1, PAIRS=11)
	@$(BIN)/python -m bench.start $(if $(JSON),--json) $(if $(PAIRS),--pairs $(PAIRS))

bench-client: setup ## measure what `spot-relay --help` takes, compared with a bare command of click (JSON=1, PAIRS=21)
	@$(BIN)/python -m bench.client_start $(if $(JSON),--json) $(if $(PAIRS),--pairs $(PAIRS))

cost: setup ## write the table of costs into docs/operations.md, from counted units and list prices
	@$(BIN)/python -m bench.cost

simulate: setup ## play hostile schedules on virtual time: SEEDS=100000, or SEED=s to explain one of them
	@PYTHONPATH=.:layers/spot_relay $(BIN)/python -m tests.simulation \
	$(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) $(if $(SEED),--seed $(SEED))

explore: setup ## try every order of the calls of two functions, with a crash, a duplicate and a lost answer (SCENARIO=)
	@PYTHONPATH=.:layers/spot_relay $(BIN)/python -m tests.exploration $(if $(SCENARIO),--scenario "$(SCENARIO)")

bench-policy: setup ## replay the relaunch policy on traces: TRACES=folder (JSON=1, OUT=, STARTS=, SEED=, NODES=, ONES=)
	@test -n "$(TRACES)" || { echo "TRACES is not set. Name the folder of the traces: make bench-policy TRACES=folder" >&2; exit 2; }
	@PYTHONPATH=layers/spot_relay $(BIN)/python -m bench.policy "$(TRACES)" $(if $(JSON),--json) \
	$(if $(OUT),--out "$(OUT)") $(if $(STARTS),--starts $(STARTS)) $(if $(SEED),--seed $(SEED)) \
	$(if $(NODES),--nodes $(NODES)) $(if $(ONES),--ones $(ONES))

mutate: setup ## mutate the domain and list the mutants that no test kills: MODULE=rules.pace (SAMPLE=600, AGAIN=1, LIST=1, DOC=1, CHILDREN=)
	@nice $(BIN)/python -m tests.mutation $(MODULE) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) \
	$(if $(AGAIN),--again) $(if $(LIST),--list) $(if $(DOC),--doc) $(if $(CHILDREN),--children $(CHILDREN))

fuzz: setup ## fuzz the readers of input, guided by coverage: TARGET=spec, events or api (SECONDS=60, SEED=, INPUT=file)
	@PYTHONPATH=.:layers/spot_relay:client nice $(BIN)/python -m tests.fuzz $(TARGET) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) \
	$(if $(INPUT),--input "$(INPUT)")

openapi: setup ## regenerate docs/openapi.yaml from the models
	@PYTHONPATH=.:layers/spot_relay:client $(BIN)/python -m openapi

lint-rules: setup ## regenerate docs/lint.md from the rules
	@PYTHONPATH=layers/spot_relay $(BIN)/python -c \
		'from spot_relay.domain.lint.lint import render_rules; print(render_rules(), end="")' > docs/lint.md

plan-picture: setup ## regenerate docs/images/plan.svg, a recording of `spot-relay plan`
	@PYTHONPATH=.:layers/spot_relay:client $(BIN)/python -m tests.plan_picture

command-docs: setup ## regenerate docs/command.md and the recordings of the command in docs/images
	@PYTHONPATH=.:layers/spot_relay:client $(BIN)/python -m manual

pages: setup ## regenerate what is kept of typical runs, after a change to the pages or to what watch draws
	@PYTHONPATH=.:layers/spot_relay:client $(BIN)/python -m tests.unit.pages

released: setup ## record what this release's template keeps, for the test that compares the next one with it: at each release
	@PYTHONPATH=.:layers/spot_relay $(BIN)/python -m tests.released

template: setup $(CHECKS_STAMP) ## check the templates as sam does, for every region with cfn-lint, and their policies with parliament
	@$(SAM) validate --lint
	@rm -rf .local/policies
	@mkdir -p .local
	@$(BIN)/python -m tests.security.translated > .local/translated.json
	@$(CHECKS)/cfn-lint template.yaml .local/translated.json --regions $$($(BIN)/python -m tests.regions)
	@$(CHECKS)/cfn-lint notices/slack.yaml --regions $$($(BIN)/python -m tests.regions slack)
	@PYTHONPATH=.:layers/spot_relay $(BIN)/python -m tests.security.written .local/policies
	@found=$$(PYTHONWARNINGS=ignore $(CHECKS)/parliament --json --directory .local/policies) || test -n "$$found" || exit 1; \
	! echo "$$found" | grep --invert-match --extended-regexp --file .parliament-exceptions | grep .

check: lint types template test ## run the linters, check types and template, then run all tests: before each commit

checkov: setup $(CHECKOV_STAMP) ## check the templates against checkov's rules, as SAM and translated to CloudFormation
	@mkdir -p .local
	@$(BIN)/python -m tests.security.translated > .local/translated.json
	$(CHECKOV) --file template.yaml .local/translated.json notices/slack.yaml

build: setup ## build the functions and layers for AWS, as samconfig.toml says for ENV=dev or ENV=prod
	$(SAM) build --config-env $(ENV) --parameter-overrides $(BUILT_FOR)

deploy: build ## deploy to AWS, asking for the parameters (ENV=dev, ENV=prod)
	$(SAM) deploy --guided --config-env $(ENV)
	@read -r runtime architecture < $(BUILT); \
	if [ "$(BUILT_FOR)" != "PythonRuntime=$$runtime Architecture=$$architecture" ]; then \
	  echo "The stack has $(BUILT_FOR), but its layers are built for $$runtime on $$architecture." >&2; \
	  echo "Run make deploy again: it builds them for what you answered." >&2; exit 1; \
	fi

lock: setup ## pin the requirements again (UPGRADE=1 takes newer versions)
	$(LOCK) requirements/dev.in -o requirements/dev.txt
	$(LOCK) requirements/uv.in -c requirements/dev.txt -o requirements/uv.txt
	$(LOCK) requirements/layer.in -c requirements/dev.txt -o layers/dependencies/requirements.txt
	$(LOCK) requirements/checkov.in -o requirements/checkov.txt
	$(LOCK) requirements/template.in -o requirements/template.txt
	$(LOCK) requirements/sdk-v2.in -o requirements/sdk-v2.txt
	$(LOCK) requirements/sdk-v3.in -o requirements/sdk-v3.txt
	$(LOCK) requirements/aws-cli.in -o requirements/aws-cli.txt
	$(LOCK) requirements/airflow.in -o requirements/airflow.txt
	$(LOCK) requirements/recipes-keras.in -o requirements/recipes-keras.txt
	$(LOCK) requirements/tensorflow.in -o requirements/tensorflow.txt
	$(LOCK) requirements/browser.in -o requirements/browser.txt
	$(LOCK) --no-deps requirements/images.in -o requirements/images.txt
	$(LOCK) requirements/recipes-torch.in -o requirements/recipes-torch.txt

format: setup ## format the code, and fix what ruff can fix
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean: ## stop a stack that was left running, and remove what was built; .venv stays
	@test ! -d .local/stacks || $(BIN)/python -m embedded stop
	rm -rf .aws-sam .local .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

setup: $(STAMP)

$(STAMP): requirements/uv.txt requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Spot Relay needs Python 3.11 or later, and \
	$(PYTHON) is %d.%d. If you have a later one: make PYTHON=python3.13 ..." % sys.version_info[:2])'
	@echo "Setting up $(VENV)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt >&2
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements/dev.txt >&2
	@touch $@

# Workers that start together would each compile all that they import.
$(COMPILED): $(STAMP)
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements/dev.txt >&2
	@touch $@

# Each environment .venv-<name> has the packages of requirements/<name>.txt.
$(CHECKOV_STAMP) $(CHECKS_STAMP) $(SDK_STAMPS) $(RECIPE_STAMPS) $(BROWSER_STAMP) .venv-tensorflow/.requirements: .venv-%/.requirements: requirements/%.txt | $(STAMP)
	@echo "Setting up $(@D)" >&2
	@test -x $(@D)/bin/python || $(BIN)/python -m venv --without-pip $(@D) >&2
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(@D)/bin/python $< >&2
	@touch $@
