#!/bin/sh
# Name what a make target lacks on this system, and install only that.
#
#     tests/support/packages.sh build|demo|bench|test|verify|coverage|format
#
# On Debian and its kin missing packages are installed with apt, as root or through sudo; without the
# right to do so the apt line is printed and the exit code is 2. Elsewhere pkg-config and the commands
# themselves are asked, what is missing is named, and the exit code is 2.
set -eu

# target, Debian package, and how any other system is asked for it.
needs() {
    cat <<'END'
build  cmake                    cmd:cmake
build  make                     cmd:make
build  gcc                      cmd:cc
build  libc6-dev                -
build  pkg-config               cmd:pkg-config
build  librdkafka-dev           pc:rdkafka
build  libyaml-dev              pc:yaml-0.1
build  libgsl-dev               pc:gsl
build  libhiredis-dev           pc:hiredis
build  libmicrohttpd-dev        pc:libmicrohttpd
build  libjansson-dev           pc:jansson
build  libzstd-dev              pc:libzstd
build  libxxhash-dev            pc:libxxhash
build  libssl-dev               pc:openssl
build  libcurl4-openssl-dev     pc:libcurl
demo   redis-server             cmd:redis-server
test   redis-server             cmd:redis-server
test   redis-tools              cmd:redis-cli
test   libcmocka-dev            pc:cmocka
test   libprotobuf-c-dev        pc:libprotobuf-c
test   protobuf-c-compiler      cmd:protoc-c
test   openjdk-17-jre-headless  cmd:java
test   maven                    cmd:mvn
test   curl                     cmd:curl
test   openssl                  cmd:openssl
test   kcat                     cmd:kcat
test   iproute2                 cmd:ip
test   python3-redis            cmd:python3
test   systemd                  cmd:systemd-analyze
test   prometheus-alertmanager  cmd:prometheus-alertmanager
test   python3-aiosmtpd         -
verify clang                    cmd:clang
verify llvm                     cmd:llvm-symbolizer
verify libclang-rt-14-dev       -
verify openjdk-17-jdk-headless  cmd:javac
coverage gcovr                  cmd:gcovr
format clang-format             cmd:clang-format
END
}

# The targets that `$1` takes its packages from.
groups() {
    case "$1" in
    build) echo build ;;
    demo) echo build demo ;;
    test | bench) echo build test ;;
    verify) echo build test verify ;;
    coverage) echo build test coverage ;;
    format) echo format ;;
    *) echo "packages.sh: no target '$1': build, demo, bench, test, verify, coverage or format" >&2 && return 2 ;;
    esac
}

# Lines of needs() for these targets, as "package check".
needed() {
    needs | while read -r target package check; do
        case " $* " in *" $target "*) echo "$package $check" ;; esac
    done | sort -u
}

is_debian() {
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null
}

has_package() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

has_elsewhere() {
    case "$1" in
    cmd:*) command -v "${1#cmd:}" >/dev/null ;;
    pc:*) command -v pkg-config >/dev/null && pkg-config --exists "${1#pc:}" ;;
    *) true ;;
    esac
}

missing_packages() {
    needed "$@" | while read -r package _; do
        has_package "$package" || printf ' %s' "$package"
    done
}

missing_elsewhere() {
    needed "$@" | while read -r package check; do
        has_elsewhere "$check" || printf '  %s (Debian: %s)\n' "${check#*:}" "$package"
    done
}

# How to become root: nothing, sudo, or failure.
root_prefix() {
    if [ "$(id -u)" = 0 ]; then
        echo env
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        echo sudo -n
    elif command -v sudo >/dev/null && [ -t 0 ]; then
        echo sudo
    else
        return 1
    fi
}

# A package that brings a service starts it on installing, and tests start their own: say no to that.
install_quietly() {
    policy=/usr/sbin/policy-rc.d
    made_policy=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
        $as_root chmod 755 $policy
        made_policy=yes
    fi
    code=0
    $as_root apt-get update -q >/dev/null || code=$?
    # shellcheck disable=SC2086 # a list of package names
    [ $code != 0 ] || $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends $1 || code=$?
    [ -z "$made_policy" ] || $as_root rm -f $policy
    return $code
}

# shellcheck disable=SC2046 # a list of targets
set -- $(groups "${1:-}")
[ $# != 0 ] || exit 2

if is_debian; then
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || exit 0
    echo "Missing packages:$missing"
    if ! as_root=$(root_prefix); then
        echo "Installing them needs root. Run this, then try again:"
        echo "    apt-get install --no-install-recommends$missing"
        exit 2
    fi
    install_quietly "$missing"
else
    missing=$(missing_elsewhere "$@")
    [ -n "$missing" ] || exit 0
    echo "Missing on this system; install them with its package manager, then try again:"
    echo "$missing"
    exit 2
fi
