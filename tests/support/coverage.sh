#!/bin/bash
# How many lines of the sources the tests run, per folder and in all. The flow tests count too, but for
# what a worker that was killed by SIGKILL has run: nobody writes that down.
#
#     TESTS='^unit/' tests/support/coverage.sh
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${COVERAGE_BUILD:-build/coverage}
JOBS=$(nproc 2>/dev/null || echo 2)

cmake -B "$BUILD" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG='-O1 -g' -DWEIR_COVERAGE=ON \
    -DWEIR_BENCH=OFF -DWEIR_FAILPOINTS=ON &&
    cmake --build "$BUILD" -j"$JOBS" || exit 1
find "$BUILD" -name '*.gcda' -delete
bash tests/support/with_servers.sh ctest --test-dir "$BUILD/tests" --output-on-failure --no-tests=error \
    ${TESTS:+-R "$TESTS"}
code=$?

gcovr --root . --object-directory "$BUILD" --filter '(engine|schemas|operators|sinks)/' --csv \
    --output "$BUILD/coverage.csv" "$BUILD" || exit 1
awk -F, '
    NR == 1 { next }
    {
        folder = $1
        sub(/\/[^\/]*$/, "", folder)
        lines[folder] += $2; run[folder] += $3; all += $2; all_run += $3
    }
    END {
        for (folder in lines)
            printf "%-16s %6d of %6d lines  %5.1f %%\n", folder, run[folder], lines[folder], 100 * run[folder] / lines[folder] | "sort"
        close("sort")
        printf "%-16s %6d of %6d lines  %5.1f %%\n", "total", all_run, all, 100 * all_run / all
    }' "$BUILD/coverage.csv"
exit $code
