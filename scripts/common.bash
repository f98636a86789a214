# shellcheck shell=bash
# What the scripts share: saying what they do, and getting the tools that are missing.

# The workspace, whatever the working directory is.
# shellcheck disable=SC2034 # read by who sources this
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

say() {
    printf '==> %s\n' "$*"
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# need_root WHAT: ends the script unless we may install something.
need_root() {
    [[ $(id -u) -eq 0 ]] || die "$1 is missing; run this as root once, or install it"
}

# apt_get ARGUMENTS...: never asks, and fetches the lists of packages where a fresh machine
# has none, or has some that are too old to find a package by.
apt_get() {
    local lists=(/var/lib/apt/lists/*_Packages*)
    if [[ -e ${lists[0]} ]] && apt_get_once "$@"; then
        return
    fi
    say "fetching Debian's lists of packages"
    apt_get_once update
    apt_get_once "$@"
}

apt_get_once() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o APT::Sandbox::User=root "$@" </dev/null >/dev/null
}

# need_packages PACKAGE...: installs those that are not there.
need_packages() {
    local package missing=()
    for package; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    if ((${#missing[@]} == 0)); then
        return
    fi
    need_root "the Debian package ${missing[*]}"
    say "installing ${missing[*]}"
    apt_get install --no-install-recommends -y "${missing[@]}"
}

# need_cargo_tool NAME VERSION: builds and installs `cargo-NAME` where there is none.
need_cargo_tool() {
    if cargo "$1" --version >/dev/null 2>&1; then
        return
    fi
    say "installing cargo-$1 $2"
    cargo install --quiet --locked "cargo-$1" --version "$2"
}
