# Builds the layers for `sam build`, which calls make in a copy of the layer's folder and sets ARTIFACTS_DIR.
# The folder of the including Makefile says what to build for, such as python3.13-arm64: sam passes on nothing else.
# What this machine has does not matter: uv installs the wheels of any Python version for any processor.
ROOT     := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)
TARGET   := $(notdir $(patsubst %/,%,$(dir $(abspath $(firstword $(MAKEFILE_LIST))))))
RUNTIME  := $(firstword $(subst -, ,$(TARGET)))
VERSION  := $(RUNTIME:python%=%)
MACHINE  := $(if $(filter %-arm64,$(TARGET)),aarch64,x86_64)
# Amazon Linux 2 has glibc 2.26, Amazon Linux 2023, from python3.12 on, 2.34.
GLIBC    := $(if $(filter python3.11,$(RUNTIME)),manylinux_2_17,manylinux_2_34)
PACKAGES := $(ARTIFACTS_DIR)/python

# The pinned uv of `make setup`, if there is one.
UV := $(firstword $(wildcard $(ROOT)/.venv/bin/uv) $(shell command -v uv))
ifeq ($(UV),)
$(error uv, which installs the packages of the layer, is not on this machine. Run `make setup`, or `pip install uv`)
endif
INSTALL := $(UV) pip install --quiet --no-deps --require-hashes --only-binary :all: --link-mode copy --no-python-downloads \
           --python "$(shell command -v python3)" --python-version $(VERSION) --python-platform $(MACHINE)-$(GLIBC)

# Lambda can't write to a layer, so what is not compiled here is compiled anew at each cold start. Only the same version
# of Python can compile for a runtime: one that uv finds, or else one of pyenv's, which may be there without being active.
# Archives change the times of files, so that compiled files must not be checked against them.
PYENV    := $(or $(PYENV_ROOT),$(HOME)/.pyenv)
COMPILER := $(firstword $(shell $(UV) python find --no-project --no-python-downloads cpython@$(VERSION) 2>/dev/null) \
            $(wildcard $(PYENV)/versions/$(VERSION).*/bin/python$(VERSION)))
define COMPILE
@if "$(COMPILER)" -c "" 2>/dev/null; then \
	"$(COMPILER)" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$(PACKAGES)"; \
else \
	echo "There is no Python $(VERSION) here to compile the layer with: it works, but cold starts take longer." >&2; \
fi
endef

.PHONY: build-DependenciesLayer build-SpotRelayLayer

build-DependenciesLayer:
	$(INSTALL) --target "$(PACKAGES)" --requirement requirements.txt
	rm -f "$(PACKAGES)/.lock"
	python3 trim.py "$(PACKAGES)"
	@# The functions compare this with what they run on: see spot_relay/layer_fit.py.
	echo "$(RUNTIME) $(if $(filter %-arm64,$(TARGET)),arm64,x86_64)" > "$(PACKAGES)/built-for.txt"
	$(COMPILE)

build-SpotRelayLayer:
	mkdir -p "$(PACKAGES)"
	cp -R spot_relay "$(PACKAGES)"
	cp -R "$(ROOT)/functions" "$(PACKAGES)/spot_relay_functions"
	find "$(PACKAGES)" -name __pycache__ -prune -exec rm -r {} +
	$(COMPILE)
