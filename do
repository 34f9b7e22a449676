#!/bin/sh
# The one command in front of everything. Needs nothing but a Debian 12 and a POSIX shell.
#
#   ./do run      install what is missing, build, start a demonstration server, send it a message
#   ./do test     install what is missing, build, run all tests
#   ./do build    only build: build/bin/ holds ekiden and a link for each Postfix command
#   ./do deb      a Debian package of it, build/ekiden_*.deb; `./do deb try` installs, uses, upgrades and removes it in a tree of its own
#   ./do bench    compare with Debian's Postfix on this machine, write docs/benchmarks.md
#   ./do fuzz     run every fuzz target for a while (FUZZ_SECONDS, default 60)
#   ./do asan | tsan   the unit tests and scenarios under the address+undefined or thread sanitizer
#   ./do format   clang-format over src/ and tests/
set -eu
cd "$(dirname "$0")"

build_packages="clang-19 lld-19 cmake ninja-build ccache pkg-config libclang-rt-19-dev
    libboost1.81-dev libfmt-dev libunbound-dev libssl-dev libsasl2-dev libcrypt-dev libdb5.3-dev liblmdb-dev libcdb-dev libsqlite3-dev libpcre2-dev libidn2-dev libidn-dev
    libseccomp-dev libcap-dev libgtest-dev libgmock-dev libbenchmark-dev"
# Real peers and the tools that the golden cases use.
test_packages="python3 python3-dnslib s-nail bsd-mailx telnet bind9-dnsutils sasl2-bin libsasl2-modules swaks gsasl openssl
    curl pflogsumm mandoc iproute2 util-linux procps adduser e2fsprogs
    postgrey python3-spf-engine dovecot-core dovecot-lmtpd nsd fail2ban haproxy msmtp
    opendkim python3-milter rspamd"

say() { printf '%s\n' "==> $*" >&2; }
die() { printf '%s\n' "do: $*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else die "this needs root for: $* (run as root, or install sudo)"; fi
}

# Installs what is missing of the named Debian packages, and only then asks for root.
need() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 || die "these packages are missing, and there is no apt-get here:$missing"
    say "installing:$missing"
    as_root apt-get update -q >&2
    # shellcheck disable=SC2086  # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2
}

jobs() { nproc 2>/dev/null || echo 2; }

build() { # build PRESET BUILD_DIR [TARGET]
    # shellcheck disable=SC2086
    need $build_packages
    # Precompiled headers and ccache go together only with these; the others let checkouts share what they compiled.
    export CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1
    [ -f "$2/build.ninja" ] || { say "configuring ($1)"; cmake --preset "$1" >"$2/configure.log" 2>&1 || { cat "$2/configure.log" >&2; die "configuring failed"; }; }
    say "building ($1)"
    # shellcheck disable=SC2086  # all of it where no target is named
    ninja -C "$2" -j "$(jobs)" ${3:-} >"$2/build.log" 2>&1 || { grep -E 'error|FAILED' "$2/build.log" | head -n 40 >&2; die "the build failed; all of it is in $2/build.log"; }
}
quiet_build() {
    mkdir -p "$2"
    build "$@"
}

command=${1:-help}
[ $# -gt 0 ] && shift
case $command in
build)
    quiet_build release build
    say "done: build/bin/ekiden, with a link for each Postfix command beside it" ;;
run)
    need python3 openssl
    quiet_build release build
    exec python3 dev/demo.py "$@" ;;
test)
    quiet_build release build
    # shellcheck disable=SC2086
    need $test_packages
    exec python3 dev/run_tests.py --build build "$@" ;;
asan|tsan)
    # `--only untrusted`: the tests of what reads strangers' bytes, and no more is built for them.
    if [ "$*" = "--only untrusted" ]; then quiet_build "$command" "build/$command" untrusted_tests
    else quiet_build "$command" "build/$command"; fi
    # shellcheck disable=SC2086
    need $test_packages
    exec python3 dev/run_tests.py --build "build/$command" --sanitizer "$command" "$@" ;;
fuzz)
    # shellcheck disable=SC2086
    need $build_packages
    mkdir -p build
    export CCACHE_SLOPPINESS=pch_defines,time_macros
    [ -f build/fuzz/build.ninja ] || cmake --preset fuzz >&2
    ninja -C build/fuzz -j "$(jobs)" >&2
    for target in build/fuzz/bin/*_fuzz; do
        name=$(basename "$target" _fuzz)
        say "fuzzing $name for ${FUZZ_SECONDS:-60} s"
        mkdir -p "build/fuzz/corpus/$name"
        "$target" -max_total_time="${FUZZ_SECONDS:-60}" -print_final_stats=0 -verbosity=0 \
            -artifact_prefix="build/fuzz/$name-" "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
    done ;;
bench)
    quiet_build release build
    need python3 openssl
    exec dev/bench "$@" ;;
deb)
    quiet_build release build
    need dpkg-dev binutils
    package=$(packaging/build_deb)
    say "done: $package"
    if [ "${1:-}" = try ]; then
        need debootstrap iproute2
        as_root packaging/try_deb "$package"
    fi ;;
format)
    need clang-format-19
    find src tests -name '*.hpp' -o -name '*.cpp' | xargs clang-format-19 -i ;;
*)
    sed -n '2,14s/^# \{0,1\}//p' "$0"
    [ "$command" = help ] || exit 2 ;;
esac
