# Builds the layers for `sam build`, which calls make in a copy of the layer's folder and sets ARTIFACTS_DIR.
# The folder of the including Makefile says what to build for, such as python3.13-arm64: sam passes on nothing else.
TARGET   := $(notdir $(patsubst %/,%,$(dir $(abspath $(firstword $(MAKEFILE_LIST))))))
RUNTIME  := $(firstword $(subst -, ,$(TARGET)))
MACHINE  := $(if $(filter %-arm64,$(TARGET)),aarch64,x86_64)
# Amazon Linux 2 has glibc 2.26, Amazon Linux 2023, from python3.12 on, 2.34.
GLIBCS   := manylinux2014 manylinux_2_17 $(if $(filter python3.11,$(RUNTIME)),,manylinux_2_28 manylinux_2_34)
PACKAGES := $(ARTIFACTS_DIR)/python

PIP := python3 -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes \
       --only-binary :all: --implementation cp --python-version $(RUNTIME:python%=%) $(GLIBCS:%=--platform %_$(MACHINE))

# Lambda can't write to a layer, so what is not compiled here is compiled anew at each cold start. Archives change the
# times of files, so that compiled files must not be checked against them.
define COMPILE
@if $(RUNTIME) -c "" 2>/dev/null; then \
	$(RUNTIME) -m compileall -q -j 0 --invalidation-mode unchecked-hash "$(PACKAGES)"; \
else \
	echo "$(RUNTIME) does not run here, so the layer is not compiled: it works, but cold starts take longer."; \
fi
endef

.PHONY: build-DependenciesLayer build-SpotRelayLayer

build-DependenciesLayer:
	$(PIP) --target "$(PACKAGES)" --requirement requirements.txt
	python3 trim.py "$(PACKAGES)"
	$(COMPILE)

build-SpotRelayLayer:
	mkdir -p "$(PACKAGES)"
	cp -R spot_relay "$(PACKAGES)"
	find "$(PACKAGES)" -name __pycache__ -prune -exec rm -r {} +
	$(COMPILE)
