#!/bin/bash
# An engine that is off by one is found out: a copy of the sources with one comparison changed, which
# judges spans of the arrival pane as late, must not agree with the oracle.
. "$(dirname "$0")/common.sh"
need_kafka
need_redis

right='if (span->pane >= arrival) return;'
wrong='if (span->pane > arrival) return;'

mkdir "$WORK/mutant"
cp -r "$ROOT/CMakeLists.txt" "$ROOT/engine" "$ROOT/schemas" "$ROOT/operators" "$ROOT/sinks" "$WORK/mutant"
[ ! -d "$ROOT/config" ] || cp -r "$ROOT/config" "$WORK/mutant"
[ "$(grep -cF "$right" "$WORK/mutant/engine/combine.c")" = 1 ] ||
    fail "engine/combine.c no longer says: $right"
sed -i "s/$right/$wrong/" "$WORK/mutant/engine/combine.c"
grep -qF "$wrong" "$WORK/mutant/engine/combine.c" || fail "the mutation did not take"

cmake -S "$WORK/mutant" -B "$WORK/mutant/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_C_FLAGS_RELWITHDEBINFO='-O2 -g' -DWEIR_TESTS=OFF -DWEIR_BENCH=OFF >"$WORK/cmake.log" 2>&1 || fail "configuring the mutant"
cmake --build "$WORK/mutant/build" -j2 --target weir >"$WORK/build.log" 2>&1 || fail "building the mutant"

topic=$RUN-spans
generate "$topic" --since 3m --seed 9 --late 5% --out-of-order 10%
run_workers "$RUN-right" "$topic" 1
check_rows "$RUN-right" "$topic"

WEIR=$WORK/mutant/build/weir
run_workers "$RUN-wrong" "$topic" 1
if oracle rows --topic "$topic" --rows-topic "$RUN-wrong.rows" "${PLAN_FOR_ORACLE[@]}" >"$WORK/oracle.out"; then
    fail "an engine that is off by one agrees with the oracle"
fi
grep -q ' [1-9][0-9]* differ' "$WORK/oracle.out" || fail "the mutant's rows are missing, not wrong"
echo "the mutant was found out: $(grep -m 1 differs "$WORK/oracle.out")"
