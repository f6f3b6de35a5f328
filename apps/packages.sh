# shellcheck shell=bash disable=SC2034

# What building and testing need of the system, and how it is installed where apt-get is: sourced by
# apps/quickstart and test/run. Each need is looked for by what is used of it (a program, a header), so
# that what came from elsewhere than a package counts too.
#
#   install_missing build [test] [ci]

# need | Debian package
build_needs='
program:g++         g++
program:meson       meson
program:ninja       ninja-build
program:pkg-config  pkg-config
program:python3     python3
header:boost/intrusive/list.hpp  libboost-dev
header:fmt/format.h              libfmt-dev
header:spdlog/spdlog.h           libspdlog-dev
header:CLI/CLI.hpp               libcli11-dev
header:nlohmann/json.hpp         nlohmann-json3-dev
header:liburing.h                liburing-dev
'

test_needs='
header:catch2/catch.hpp,catch2/catch_all.hpp  catch2
program:nm                                    binutils
program:nc                                    netcat-openbsd
program:socat                                 socat
program:strace                                strace
program:curl                                  curl
program:wrk                                   wrk
program:ab                                    apache2-utils
'

ci_needs='
program:clang++-19,clang++              clang-19
runtime:clang++-19,clang++              libclang-rt-19-dev
version-19:clang-format-19,clang-format clang-format-19
program:qemu-system-x86_64            qemu-system-x86
file:/boot/vmlinuz*                   tiny-initramfs
file:/boot/vmlinuz*                   linux-image-cloud-amd64
'

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# The first of the programs that exists.
first_program() {
    local name
    for name; do
        if command -v "$name"; then
            return 0
        fi
    done
    return 1
}

# has KIND NAME...: whether any one of the names is there.
has() {
    local kind=$1 name clang cxx
    read -r -a cxx <<<"${CXX:-c++}"
    shift
    case $kind in
    program) first_program "$@" >/dev/null ;;
    header)
        for name; do
            if "${cxx[@]}" -E -x c++ -o /dev/null - <<<"#include <$name>" 2>/dev/null; then
                return 0
            fi
        done
        return 1
        ;;
    file)
        compgen -G "$1" >/dev/null
        ;;
    version-*)
        for name; do
            if "$name" --version 2>/dev/null | grep -q "version ${kind#version-}\."; then
                return 0
            fi
        done
        return 1
        ;;
    runtime) # of the sanitizers
        clang=$(first_program "$@") || return 1
        "$clang" -fsanitize=address -x c++ -o /dev/null - <<<'int main() {}' 2>/dev/null
        ;;
    esac
}

# The packages of the needs (a table as above) that nothing here meets, one a line.
missing_packages() {
    local need package names
    while read -r need package; do
        IFS=, read -r -a names <<<"${need#*:}"
        if [[ -n $need ]] && ! has "${need%%:*}" "${names[@]}"; then
            printf '%s\n' "$package"
        fi
    done
}

as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "to be run as root, and there is no sudo: $*"
    fi
}

# The names by which this system has the packages of a certain version, and the others as they are.
known_here() {
    local package
    for package; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            printf '%s\n' "$package"
            continue
        fi
        case $package in
        clang-19) printf 'clang\n' ;;
        libclang-rt-19-dev) ;;
        qemu-system-x86 | tiny-initramfs | linux-image-cloud-amd64)
            echo "no $package here: protection keys will not be tested" >&2
            ;;
        clang-format-19) echo "no clang-format 19 here: formatting will not be checked" >&2 ;;
        *) printf '%s\n' "$package" ;;
        esac
    done
}

install_missing() {
    local kind table="" missing
    for kind; do
        kind=${kind}_needs
        table+=${!kind}
    done
    mapfile -t missing < <(missing_packages <<<"$table")
    if [[ ${#missing[@]} -eq 0 ]]; then
        return 0
    fi
    if ! command -v apt-get >/dev/null; then
        fail "please install these first (by the names Debian gives them): ${missing[*]}"
    fi
    echo "installing: ${missing[*]}"
    as_root apt-get update -qq
    mapfile -t missing < <(known_here "${missing[@]}")
    if [[ ${#missing[@]} -eq 0 ]]; then
        return 0
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        "${missing[@]}" >/dev/null
}
