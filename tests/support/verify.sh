#!/bin/bash
# Everything that is too slow for every day: another compiler, sanitizers, fuzzers, OpenTelemetry's own SDK, and the flow tests
# that are short enough with a sanitized weir between the real servers.
#
#     FUZZ_SECONDS=60 tests/support/verify.sh
set -u
cd "$(dirname "$0")/../.." || exit 1
JOBS=$(nproc 2>/dev/null || echo 2)
FUZZ_SECONDS=${FUZZ_SECONDS:-60}
FLOWS_UNDER_ASAN='flow/test_(oracle|generated|bitwise|crash|demo|notify)'

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/support/tsan/suppressions

step() {
    echo
    echo "=== $*"
}

build() {
    cmake --preset "$@" >build/verify-cmake.log || { cat build/verify-cmake.log && exit 1; }
    cmake --build "build/$1" -j"$JOBS" -- --no-print-directory >build/verify-build.log 2>&1 ||
        { tail -40 build/verify-build.log && exit 1; }
}

# tests BUILD_FOLDER [ctest options]: with the real servers; PRELOAD is put before the tests alone.
tests() {
    local folder=$1
    shift
    bash tests/support/with_servers.sh env ${PRELOAD:+LD_PRELOAD="$PRELOAD"} \
        ctest --test-dir "$folder/tests" -j3 --output-on-failure --no-tests=error "$@" || exit 1
}

# One fuzzer; its new inputs stay in the build folder, what it crashes on is named by libFuzzer.
fuzz() {
    local fuzzer=$1 name corpus
    name=$(basename "$fuzzer")
    corpus=build/fuzz/corpus/$name
    mkdir -p "$corpus"
    local seeds=()
    [ ! -d "tests/fuzz/corpus/$name" ] || seeds=("tests/fuzz/corpus/$name")
    "$fuzzer" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/" "$corpus" "${seeds[@]}" >"build/fuzz/$name.log" 2>&1 ||
        { tail -40 "build/fuzz/$name.log" && return 1; }
    echo "$name: $(grep -o 'number_of_executed_units: *[0-9]*' "build/fuzz/$name.log" | tr -s ' ')"
}

# All fuzzers, two at a time.
fuzz_all() {
    local fuzzers=() pids=() failed=0 i
    mapfile -t fuzzers < <(find build/fuzz/tests -maxdepth 1 -type f -name 'fuzz_*' -perm -u+x | sort)
    [ ${#fuzzers[@]} != 0 ] || { echo "no fuzzers were built" && return 1; }
    for ((i = 0; i < ${#fuzzers[@]}; i += 2)); do
        pids=()
        for fuzzer in "${fuzzers[@]:i:2}"; do
            fuzz "$fuzzer" &
            pids+=($!)
        done
        for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
    done
    return $failed
}

mkdir -p build
step "clang, warnings are errors; unit tests"
build clang
tests build/clang -L unit

step "every call of a worker's that can fail, failed once, with the real Kafka and Redis"
FAILING_CASES=all bash tests/support/with_servers.sh bash tests/flow/test_failing_calls.sh build/clang || exit 1
step "interop: spans that OpenTelemetry's SDK for Java makes and encodes"
bash tests/support/with_servers.sh bash tests/interop/test_sdk.sh build/clang || exit 1

seed=$RANDOM
step "the simulator, 60 s from seed $seed"
build/clang/tests/weir_simulator --seconds 60 --seed "$seed" || exit 1

step "ThreadSanitizer: unit tests"
build tsan
PRELOAD=$PWD/build/tsan/threads.so
gcc -std=c11 -D_GNU_SOURCE -O1 -g -fPIC -shared tests/support/tsan/threads.c -o "$PRELOAD" -lpthread || exit 1
tests build/tsan -L unit
PRELOAD=

step "AddressSanitizer and UBSan: unit tests, and flow tests with the real Kafka and Redis"
build asan
WEIR_TEST_DEMO_SECONDS=60 tests build/asan -R "^unit/|^simulator/|$FLOWS_UNDER_ASAN"

step "fuzzers, $FUZZ_SECONDS s each, two at a time"
build fuzz
fuzz_all || exit 1

step "verified"
