# Everything one does with weir, for people and for CI. `make` alone lists it.
# Each target first names the packages it lacks and installs only those: tests/support/packages.sh.

MAKEFLAGS += --no-print-directory
JOBS := $(shell nproc 2>/dev/null || echo 2)
PACKAGES = sh tests/support/packages.sh
WITH_SERVERS = bash tests/support/with_servers.sh
SOURCES = find engine schemas operators sinks tests bench -name '*.[ch]'

# Asserts stay on in tests; what users get is build/release.
TEST_BUILD = -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS_RELWITHDEBINFO='-O2 -g' -DWEIR_BENCH=OFF -DWEIR_FAILPOINTS=ON

# ctest keeps to itself what a test that was skipped said.
TEST_LOG = build/test/tests/Testing/Temporary/LastTest.log

.PHONY: help build demo test soak-ready soak mutations recovery calibrate verify coverage bench day format install clean

help:
	@echo 'make build     the program: build/release/weir'
	@echo 'make demo      a simulated shop, an embedded broker and Redis, shown live until Ctrl-C'
	@echo '               (DEMO_SECONDS=20 make demo stops by itself)'
	@echo 'make test      all tests, with a real Kafka and a real Redis (at most 15 minutes)'
	@echo '               (TESTS=flow/test_oracle make test runs those whose name matches)'
	@echo 'make soak      faults of every kind against real brokers and Redis, rows compared with the oracle'
	@echo '               (MINUTES=30 make soak; SEED=n begins with that seed)'
	@echo 'make mutations takes each safeguard away and sees that the faults find it out (about 15 minutes)'
	@echo 'make recovery  from a fault to fresh rows at default settings with 10 000 series (about 20 minutes)'
	@echo 'make calibrate how often the scores cry where nothing is wrong, and how soon they find what is'
	@echo 'make verify    clang, sanitizers, fuzzers and the real servers under them (at most 60 minutes)'
	@echo 'make coverage  how many lines the tests run, per folder (TESTS=^unit/ make coverage: by those tests)'
	@echo 'make bench     speed in memory and from a real broker'
	@echo 'make day       a day over 10 000 series in minutes, with restarts: does anything grow?'
	@echo 'make format    clang-format over all sources'
	@echo 'make install   build/release/weir to PREFIX (default /usr/local)'
	@echo 'make clean     remove build/'

build:
	@$(PACKAGES) build
	cmake --preset release -DWEIR_TESTS=OFF -DWEIR_BENCH=OFF
	cmake --build build/release -j$(JOBS)

demo:
	@$(PACKAGES) demo
	@mkdir -p build && echo 'Building weir (log: build/demo.log)'
	@$(MAKE) --no-print-directory build >build/demo.log 2>&1 || { cat build/demo.log; exit 1; }
	@build/release/weir demo

test:
	@$(PACKAGES) test
	cmake -B build/test $(TEST_BUILD)
	cmake --build build/test -j$(JOBS)
	@rm -f $(TEST_LOG)
	$(WITH_SERVERS) ctest --test-dir build/test/tests -j3 --output-on-failure --no-tests=error $(if $(TESTS),-R '$(TESTS)'); \
	    code=$$?; grep -s '^SKIPPED: ' $(TEST_LOG) | sort -u; exit $$code

# Three brokers, in network namespaces of their own where that is permitted.
soak-ready:
	@$(PACKAGES) test
	cmake -B build/test $(TEST_BUILD)
	cmake --build build/test -j$(JOBS)
	@bash -c '. tests/support/servers.sh && servers_open && kafka_jars'

soak: soak-ready
	@/usr/bin/python3 tests/soak/soak.py build/test --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED)) --table build/soak.md

mutations: soak-ready
	@/usr/bin/python3 tests/soak/mutations.py

recovery: soak-ready
	@/usr/bin/python3 tests/soak/recovery.py build/test

calibrate:
	@$(PACKAGES) test
	cmake -B build/test $(TEST_BUILD)
	cmake --build build/test -j$(JOBS) --target weir_calibrate
	build/test/tests/weir_calibrate --full --to build/calibration.md; code=$$?; cat build/calibration.md; exit $$code

verify:
	@$(PACKAGES) verify
	bash tests/support/verify.sh

coverage:
	@$(PACKAGES) coverage
	TESTS='$(TESTS)' bash tests/support/coverage.sh

bench:
	@$(PACKAGES) bench
	cmake --preset release -B build/bench -DWEIR_TESTS=OFF -DWEIR_BENCH=ON
	cmake --build build/bench -j$(JOBS)
	@for bench in build/bench/bench/bench_*; do $$bench && echo || exit 1; done
	@bash bench/pipeline/run.sh build/bench || [ $$? = 77 ]

day:
	@$(PACKAGES) test
	cmake -B build/test $(TEST_BUILD)
	cmake --build build/test -j$(JOBS) --target weir
	bash tests/soak/day.sh build/test

format:
	@$(PACKAGES) format
	$(SOURCES) -exec clang-format -i {} +

install: build
	cmake --install build/release $(if $(PREFIX),--prefix '$(PREFIX)')

clean:
	rm -rf build
