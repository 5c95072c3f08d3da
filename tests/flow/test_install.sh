#!/bin/bash
# What `cmake --install` puts where, and that its systemd unit is right and shuts weir in.
. "$(dirname "$0")/common.sh"
prefix=$WORK/prefix
cmake --install "$BUILD" --prefix "$prefix" >"$WORK/install.log" 2>&1 || fail "cmake --install"
"$prefix/bin/weir" --version >"$WORK/version.out" || fail "the installed weir does not run"
unit=$prefix/lib/systemd/system/weir.service
grep -q "^ExecStart=$prefix/bin/weir run " "$unit" || fail "the unit does not name the installed weir"

# A semicolon would be taken for the end of a list element, and be lost on the way.
diff <(sed "s|=$prefix/|=/usr/local/|" "$unit") "$ROOT/config/weir.service" || fail "the unit was changed on the way"

command -v systemd-analyze >/dev/null || servers_unavailable "systemd-analyze is not installed; the rest passed"
systemd-analyze verify --man=no "$unit" >"$WORK/verify.log" 2>&1 || fail "systemd-analyze verify"
! grep -q "weir.service" "$WORK/verify.log" || fail "systemd-analyze verify has something to say"
# 10 is no protection at all. What is left is the network, which weir is for.
systemd-analyze security --offline=yes --threshold=20 "$unit" >"$WORK/security.log" 2>&1 ||
    fail "the sandbox has holes"
echo "installed; $(tail -1 "$WORK/security.log" | sed 's/[^ -~]//g')"
