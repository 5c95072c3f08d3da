#!/bin/bash
# The simulator finds what it is there for: copies of the sources, each with one line changed, must make it
# end with a difference. Says which seed found which, and after how long.
#
#     WEIR_MUTANTS=all tests/flow/test_mutants.sh BUILD_FOLDER     (else the first four)
#     WEIR_MUTANTS=trimmed ...                                     (those whose name says so)
. "$(dirname "$0")/common.sh"
SECONDS_MAX=${WEIR_MUTANT_SECONDS:-120}
FEW=4

stage=engine/aggregate_stage.c load=engine/aggregate_load.c save=engine/aggregate_save.c take=engine/aggregate_take.c
# name, file, the part of a line that stands there once, what it becomes
MUTANTS=(
    're-run aloud' $stage
    'shard->records.silent = record->offset < shard->silent_until;' 'shard->records.silent = false;'
    'sums not added again' $load
    'windows_sum_again(a->plan, a->series.series[i], a->next_pane, &a->pool);' '(void)i;'
    'operator state not loaded' $load
    'aggregate_signature(o) == signature' 'aggregate_signature(o) != signature'
    'audit overlooks gaps' $take
    'a->counts.gap_offsets += (uint64_t)(clock->from - known->position);' 'a->counts.gap_offsets += 0;'

    're-run left out' $stage
    'shard->position = shard->snapshot_partials;'
    'shard->position = shard->silent_until > 0 ? shard->silent_until : 0;'
    'late cells wait one pane more' $load
    'late.arrival = wire_zigzag(field.value);' 'late.arrival = wire_zigzag(field.value) + 1;'
    'active series saved in another order' $save
    'index_of(a, index, a->series.active[i])' 'index_of(a, index, a->series.active[a->series.actives - 1 - i])'
    'positions of sources not loaded' $load
    'clock->position = (int64_t)field.value;' 'clock->position = 0;'
    'budget not loaded' $load
    'a->budget = field->value;' 'a->budget = 0;'
    'changed not loaded' $load
    'series->changed = field.value != 0;' 'series->changed = false;'
    'audit is off by one' $take
    'else if (clock->from < again)' 'else if (clock->from + 1 < again)'
    'state trimmed too far' $stage
    'w->observer, w->state, shard->partition, shard->snapshot_first, &err);'
    'w->observer, w->state, shard->partition, new_first + 1, &err);'
    'partials trimmed too far' $stage
    'w->observer, w->partials, shard->partition, shard->snapshot_partials, &err);'
    'w->observer, w->partials, shard->partition, shard->position + 1, &err);'
    'after an abort the rows do not go out again' $stage
    'if (status == ST_OK) status = commit_shards(s, snapshot_first, err);'
    'for (size_t i = 0; i < s->shards; i++) { records_reset(&s->shard[i].records); }
     if (status == ST_OK) status = commit_shards(s, snapshot_first, err);'
    'after a commit the rows stay' $stage
    'records_reset(&shard->records);' 'shard->records.silent = false;'
    'what may have been committed goes out again' $stage
    'if (status == ST_OK) status = commit_shards(s, snapshot_first, err);'
    'if (status == ST_OK || status == ST_ABORT) status = commit_shards(s, snapshot_first, err);'
    'nobody asks who trimmed a snapshot' $stage
    '    status = check_owner(s, shard, err);' '    status = ST_OK;'
    'snapshot of the offset before' $stage
    's->worker->state, shard->partition, shard->position, &shard->metadata.manifest,'
    's->worker->state, shard->partition, shard->position - 1, &shard->metadata.manifest,'
)

mutant=$WORK/mutant
mkdir "$mutant"
for folder in CMakeLists.txt engine schemas operators sinks config tests; do cp -r "$ROOT/$folder" "$mutant"; done
cmake -S "$mutant" -B "$mutant/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_C_FLAGS_RELWITHDEBINFO='-O1' -DWEIR_BENCH=OFF >"$WORK/cmake.log" 2>&1 || fail "configuring the mutants"

# mutate FILE RIGHT WRONG
mutate() {
    local text
    [ "$(grep -cF "$2" "$ROOT/$1")" = 1 ] || fail "$1 no longer says, once: $2"
    text=$(cat "$ROOT/$1")
    printf '%s\n' "${text/"$2"/"$3"}" >"$mutant/$1"
    cmake --build "$mutant/build" -j2 --target weir_simulator >"$WORK/build.log" 2>&1 || fail "building: $3"
}

# The right one agrees with itself, or the mutants would prove nothing.
cmake --build "$mutant/build" -j2 --target weir_simulator >"$WORK/build.log" 2>&1 || fail "building the simulator"
"$mutant/build/tests/weir_simulator" --rounds 5 >"$WORK/right.log" 2>&1 || fail "the right one differs"

count=$((${#MUTANTS[@]} / 4))
wanted=${WEIR_MUTANTS:-}
[ -n "$wanted" ] || count=$FEW
for ((i = 0; i < count; i++)); do
    [[ -z $wanted || $wanted = all || ${MUTANTS[i * 4]} == *$wanted* ]] || continue
    name=${MUTANTS[i * 4]} file=${MUTANTS[i * 4 + 1]}
    mutate "$file" "${MUTANTS[i * 4 + 2]}" "${MUTANTS[i * 4 + 3]}"
    "$mutant/build/tests/weir_simulator" --seconds "$SECONDS_MAX" >"$WORK/found.log" 2>&1
    [ $? = 1 ] || fail "$name: no difference within $SECONDS_MAX s"
    cp "$ROOT/$file" "$mutant/$file"
    touch "$mutant/$file"
    echo "$name: $(grep -A 2 -m 1 '^seed' "$WORK/found.log" | paste -s -d ' ' | cut -c 1-230)"
    grep '^least' "$WORK/found.log" | sed 's/^/    /'
done
