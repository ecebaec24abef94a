# What a machine needs to build and run the project. Sourced, not run.

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else return 1
    fi
}

# Debian packages of what is missing here, one a line. Further programs, whose packages have their names,
# may be asked for.
missing_packages() {
    local program
    for program in "$@"; do command -v "$program" >/dev/null 2>&1 || echo "$program"; done
    [ -e /usr/include/openssl/ssl.h ] || echo libssl-dev
    [ -e /usr/include/lmdb.h ] || echo liblmdb-dev
    [ -e /usr/include/lz4.h ] || echo liblz4-dev
    [ -e /usr/include/stdlib.h ] || echo libc6-dev
    ls /usr/lib/gcc/*/*/libstdc++.so >/dev/null 2>&1 || echo libstdc++-12-dev
    command -v ld >/dev/null 2>&1 || echo binutils
    command -v pkg-config >/dev/null 2>&1 || echo pkg-config
    command -v git >/dev/null 2>&1 || echo git
    command -v curl >/dev/null 2>&1 || echo curl
}

find_swift() {
    local place
    command -v swift >/dev/null 2>&1 && return 0
    for place in /opt/swift/usr/bin /usr/share/swift/usr/bin "$HOME/.local/share/swiftly/bin"; do
        if [ -x "$place/swift" ]; then PATH="$place:$PATH"; export PATH; return 0; fi
    done
    die "Swift 6.2 or newer is needed and was not found; https://www.swift.org/install/linux shows how to get it"
}

# Installs Debian packages that are named like their programs, if one is missing.
install_packages() {
    local program packages=''
    for program in "$@"; do command -v "$program" >/dev/null 2>&1 || packages="$packages$program "; done
    [ -z "$packages" ] || apt_install "$packages"
}

# One argument: the packages, with a space behind each.
apt_install() {
    command -v apt-get >/dev/null 2>&1 ||
        die "this machine lacks what these Debian packages bring: $1- install their counterparts and run again"
    say "installing $1"
    # shellcheck disable=SC2086
    { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y $1; } >/dev/null ||
        die "could not install; as root run: apt-get install $1"
}

install_prerequisites() {
    local packages
    packages=$(missing_packages "$@" | tr '\n' ' ')
    [ -z "$packages" ] || apt_install "$packages"
    find_swift
}
