#!/bin/bash
# What `cmake --install` puts where, and that its systemd unit is right and shuts weir in.
. "$(dirname "$0")/common.sh"
prefix=$WORK/prefix
cmake --install "$BUILD" --prefix "$prefix" >"$WORK/install.log" 2>&1 || fail "cmake --install"
"$prefix/bin/weir" --version >"$WORK/version.out" || fail "the installed weir does not run"
command -v systemd-analyze >/dev/null || judge=no
for name in weir weir-notify; do
    unit=$prefix/lib/systemd/system/$name.service
    grep -Eq "^ExecStart=$prefix/bin/weir (run|notify) " "$unit" || fail "the unit does not name the installed weir"

    # A semicolon would be taken for the end of a list element, and be lost on the way.
    diff <(sed "s|=$prefix/|=/usr/local/|" "$unit") "$ROOT/config/$name.service" || fail "the unit was changed on the way"

    [ -z "${judge:-}" ] || continue
    systemd-analyze verify --man=no "$unit" >"$WORK/verify.log" 2>&1 || fail "systemd-analyze verify"
    ! grep -q "$name.service" "$WORK/verify.log" || fail "systemd-analyze verify has something to say"
    # 10 is no protection at all. What is left is the network, which weir is for.
    systemd-analyze security --offline=yes --threshold=20 "$unit" >"$WORK/security.log" 2>&1 ||
        fail "the sandbox has holes"
    echo "$name installed; $(tail -1 "$WORK/security.log" | sed 's/[^ -~]//g')"
done
[ -z "${judge:-}" ] || servers_unavailable "systemd-analyze is not installed; the rest passed"
