# SPDX-License-Identifier: Apache-2.0
# Each target works alone on a bare machine: ./run sets up what is missing first.
.DEFAULT_GOAL := help
.PHONY: help setup demo docs gazebo gazebo-demo test other-ros test-programs bench growth reproduce lint clean distclean

# Options for pytest, e.g. make test TESTS="-k fusion"; without the other ROS 2
TESTS ?=
# With ROS_WHEELS=kilted everything is of ROS 2 Kilted; of the other one, test runs what is of ROS.
OTHER := $(if $(filter kilted,$(ROS_WHEELS)),jazzy,kilted)
# Some of the figures only, e.g. make bench SECTIONS="engine node", and options: BENCH="--check"
SECTIONS ?=
BENCH ?=
# Some of the experiments only, e.g. make reproduce EXPERIMENTS="table1 mog"
EXPERIMENTS ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "./run CMD...    runs any command in the environment, e.g. ./run m2vae --help"
	@echo "ROS_WHEELS=kilted before either: with ROS 2 Kilted, beside Jazzy, which is the default"

setup: ## system packages (as root), .venv with ROS 2 and all tools, messages and package; only what is missing
	@tools/setup.sh all

demo: ## simulator and three robots over ROS 2, in under 90 seconds; VIEW=1 to see them
	@./run m2vae demo $(if $(VIEW),--view)

gazebo: ## the world in Gazebo classic 11 until Ctrl-C; installs Gazebo apart first, as root
	@tools/gazebo.sh
	@./run m2vae gazebo

gazebo-demo: ## the demo in Gazebo instead of MuJoCo, in about two minutes
	@tools/gazebo.sh
	@./run m2vae demo --gazebo

test: setup ## style, imports, all tests, and those of ROS on Kilted, too; TESTS=... for some
	@$(MAKE) --no-print-directory -j3 lint other-ros test-programs
ifdef TESTS
	@./run python -m pytest -m "" $(TESTS)
else
	@./run python -m pytest -m "not ros" -n 2 --dist worksteal --cov --cov-report= --cov-fail-under=0
	@./run python -m pytest -m ros -n 2 --dist worksteal --cov --cov-append --cov-report=term
	@ROS_WHEELS=$(OTHER) ./run python -m pytest -m "ros and not slow" -n 2 --dist worksteal
endif

other-ros:
	@$(if $(TESTS),,ROS_WHEELS=$(OTHER) tools/setup.sh all)

test-programs:
	@tools/gazebo.sh || echo "gazebo: going on without it, its tests are skipped" >&2
	@tools/browser.sh >&2 || echo "browser: going on without it, its test is skipped" >&2

bench: ## what a robot's work costs, beside alternatives, and what got slower; SECTIONS=... for some
	@OMP_NUM_THREADS=1 ./run python -m tools.bench $(BENCH) $(SECTIONS)

growth: ## how cost grows with modalities, latent dimensions and robots: reports/growth.png
	@OMP_NUM_THREADS=1 ./run python -m tools.bench.growth

reproduce: ## the paper's tables and figures into reports/; QUICK=1 for a look in minutes
	@./run m2vae reproduce $(if $(QUICK),--quick) $(EXPERIMENTS)

docs: ## the site of docs/, with pages of the code, into build/site/; DOCS=serve to read while writing
	@NO_MKDOCS_2_WARNING=1 ./run mkdocs $(or $(DOCS),build --strict)
	@$(if $(DOCS),,echo "build/site/index.html")

lint: ## style, likely bugs, docstrings, types, and that rooms import downwards only
	@./run ruff check .
	@./run ruff format --check .
	@./run lint-imports --no-logo
	@./run mypy
	@for script in run .ci/run tools/*.sh; do bash -n $$script || exit 1; done

clean: ## removes what was built, keeps .venv and .venv-kilted
	rm -rf build install build-kilted install-kilted log dist *.egg-info .coverage* .pytest_cache \
		.ruff_cache .import_linter_cache .mypy_cache .hypothesis .apt.log .colcon.log .pip.log
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## removes .venv and .venv-kilted, too
	rm -rf .venv .venv-kilted
