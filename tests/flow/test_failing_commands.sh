#!/bin/bash
# No call of the program's is forgotten by those who make calls fail, and every other command says what it
# could not do: a broker or a Redis that is not there, a file that cannot be read, a full disk, a closed pipe.
. "$(dirname "$0")/common.sh"
FAILING=$BUILD/tests/libfailing.so
[ -r "$FAILING" ] || servers_unavailable "this build has no libfailing.so"

# Every function that the program takes from elsewhere is one that the library fails, or has its reason not to be.
nm -D --undefined-only "$WEIR" | awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }' | sort -u >"$WORK/called"
nm -D --defined-only "$FAILING" | awk '$2 == "T" { print $3 }' >"$WORK/known"
grep '^    ' "$ROOT/tests/support/failing/not_failed" | tr -s ' ' '\n' | grep . >>"$WORK/known"
sort -u "$WORK/known" >"$WORK/known.sorted"
grep -q '^rd_kafka_commit_transaction$' "$WORK/called" || fail "the program's calls cannot be listed"
forgotten=$(comm -23 "$WORK/called" "$WORK/known.sorted" | paste -s -d ' ')
[ -z "$forgotten" ] || fail "the program calls what nobody fails: $forgotten.
Let tests/support/failing fail it, and add cases; or give a reason in tests/support/failing/not_failed"
echo "$(wc -l <"$WORK/called") functions are called, each is failed or has its reason"

# expect CODE WORDS COMMAND...: it ends with that code and says, on the last line, something with these words.
expect() {
    local want=$1 words=$2 code
    shift 2
    timeout -k 5 100 "$@" >"$WORK/out" 2>"$WORK/said.log" </dev/null
    code=$?
    [ "$code" = "$want" ] || fail "$*: exit code $code instead of $want"
    tail -n 1 "$WORK/said.log" | grep -Eq "^weir.*($words)" || fail "$*: its last words are not about '$words'"
}

nobody=127.0.0.1:$(servers_free_port)
head -c 300000 /dev/urandom >"$WORK/capture"
