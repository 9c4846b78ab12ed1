# shellcheck shell=bash
# What the scripts share: progress with the time, and what a fresh Debian machine with Rust still needs.
# Sourced, not run. Nothing is installed twice, and no system service is left running by an installation.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1

# Where Debian and rustup put programs that a plain user's PATH may lack.
PATH="$PATH:$HOME/.cargo/bin:/usr/sbin"
export PATH

# progress TEXT: one line with the seconds since the script began.
progress() {
    printf '[%4d s] %s\n' "$SECONDS" "$*"
}

# fail TEXT: the reason on stderr, and the end.
fail() {
    printf '[%4d s] %s\n' "$SECONDS" "$*" >&2
    exit 1
}

# quietly COMMAND…: its output is shown only if it fails.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        fail "Failed: $*"
    fi
    rm -f "$log"
}

# need_debian PACKAGE…: installs the Debian packages that are missing.
need_debian() {
    local package missing=()
    for package in "$@"; do
        if [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) != *" installed" ]]; then
            missing+=("$package")
        fi
    done
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        fail "Missing Debian packages. Please run: sudo apt-get install --no-install-recommends ${missing[*]}"
    fi
    progress "Installing ${missing[*]} (Debian)"
    (
        # Their installation would start services for the whole machine: policy-rc.d is Debian's way to say no.
        policy=/usr/sbin/policy-rc.d
        if [[ ! -e $policy ]]; then
            trap 'rm -f "$policy"' EXIT
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod 755 "$policy"
        fi
        export DEBIAN_FRONTEND=noninteractive
        quietly apt-get -q update
        quietly apt-get -q install -y --no-install-recommends "${missing[@]}"
    )
}

# need_compiler: Rust itself links with cc, and SQLite and aws-lc are C.
need_compiler() {
    command -v cargo >/dev/null || fail "Rust is missing: see https://rustup.rs"
    command -v cc >/dev/null || need_debian gcc libc6-dev
}

# need_cargo_fuzz: in target/tools, where it is not on the machine.
need_cargo_fuzz() {
    PATH="$PATH:$root/target/tools/bin"
    export PATH
    if ! command -v cargo-fuzz >/dev/null; then
        progress "Installing cargo-fuzz into target/tools"
        quietly cargo install --locked --quiet --root "$root/target/tools" cargo-fuzz
    fi
}

# need_nix_tools: nixfmt and deadnix in target/tools, where they are not on the machine. Debian has neither.
need_nix_tools() {
    PATH="$PATH:$root/target/tools/bin"
    export PATH
    if ! command -v nixfmt >/dev/null || ! command -v deadnix >/dev/null; then
        progress "Installing nixfmt and deadnix into target/tools"
        quietly cargo install --locked --quiet --root "$root/target/tools" nixfmt_rs deadnix
    fi
}

# need_ngircd: a second IRC server, in target/tools/ngircd: Debian has it conflict with InspIRCd.
need_ngircd() {
    local tools="$root/target/tools/ngircd"
    export TOWLINE_NGIRCD="$tools/usr/sbin/ngircd"
    need_debian libgnutls30 libident libpam0g zlib1g
    [[ ! -x $TOWLINE_NGIRCD ]] || return 0
    progress "Unpacking ngIRCd (Debian) into target/tools"
    mkdir -p "$tools"
    (
        cd "$tools" || exit
        # A new machine has no lists of packages.
        apt-get -q download ngircd >/dev/null 2>&1 || ((EUID)) || quietly apt-get -q update
        [[ -n $(compgen -G 'ngircd_*.deb') ]] || quietly apt-get -q download ngircd
        quietly dpkg-deb -x ngircd_*.deb .
    )
}

# need_synapse: a homeserver in target/venv, for tests/rig.
need_synapse() {
    local venv="$root/target/venv" wanted='matrix-synapse==1.163.*'
    export TOWLINE_SYNAPSE_PYTHON="$venv/bin/python"
    mkdir -p "$root/target"
    # Two scripts at once install it once.
    exec {lock}>"$root/target/venv.lock"
    flock "$lock"
    if ! "$venv/bin/python" -c 'import synapse.app.homeserver' >/dev/null 2>&1; then
        python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || need_debian python3-venv
        progress "Installing Synapse into target/venv (PyPI, about a minute)"
        quietly python3 -m venv --clear "$venv"
        quietly "$venv/bin/python" -m pip install --quiet "$wanted"
    fi
    exec {lock}>&-
}

# need_heisenbridge: the bridge that scripts/bench compares with, in target/heisenbridge.
need_heisenbridge() {
    local venv="$root/target/heisenbridge" wanted='heisenbridge==1.15.*'
    export TOWLINE_HEISENBRIDGE_PYTHON="$venv/bin/python"
    mkdir -p "$root/target"
    if ! "$venv/bin/python" -c 'import heisenbridge' >/dev/null 2>&1; then
        python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || need_debian python3-venv
        progress "Installing Heisenbridge into target/heisenbridge (PyPI)"
        quietly python3 -m venv --clear "$venv"
        quietly "$venv/bin/python" -m pip install --quiet "$wanted"
    fi
}

# scratch: makes $work, a directory that goes with the script, as does what start_postgres starts.
scratch() {
    work=$(mktemp -d)
    databases=$work
    postgres_pid=
    trap scratch_end EXIT
    # A signal ends the script through the trap above, so nothing stays behind.
    trap 'exit 130' INT TERM
}

# databases_in_memory: makes $databases, $work until then, a directory in memory, where there are 4 GiB of room.
databases_in_memory() {
    local room
    room=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1) || room=0
    if [[ -w /dev/shm ]] && ((room >= 4 * 1024 * 1024)); then
        databases=$(mktemp -d -p /dev/shm)
    fi
}

scratch_end() {
    local status=$?
    if [[ -n $postgres_pid ]]; then
        kill -INT "$postgres_pid" 2>/dev/null || true
        wait "$postgres_pid" 2>/dev/null || true
    fi
    rm -rf "$work" "$databases"
    exit "$status"
}

# start_postgres [OPTION…]: a private cluster in $databases, named by TOWLINE_TEST_POSTGRES. PostgreSQL refuses to run as
# root.
start_postgres() {
    need_debian postgresql
    local bin data="$databases/postgres" as=()
    bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    [[ -x $bin/initdb ]] || fail "PostgreSQL's initdb is not in /usr/lib/postgresql"
    mkdir "$data"
    if ((EUID == 0)); then
        as=(setpriv --reuid postgres --regid postgres --clear-groups --)
        chmod 711 "$databases"
        chown postgres "$data"
    fi
    quietly "${as[@]}" "$bin/initdb" --pgdata "$data" --username towline --auth trust --no-sync \
        --encoding UTF8 --locale C.UTF-8
    local attempt port
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 30000))
        "${as[@]}" "$bin/postgres" -D "$data" -p "$port" -k "$data" -c listen_addresses=127.0.0.1 "$@" \
            >"$work/postgres.log" 2>&1 &
        postgres_pid=$!
        # Waits for a condition with a limit: it answers, or it has ended because the port was taken.
        local deadline=$((SECONDS + 60))
        while kill -0 "$postgres_pid" 2>/dev/null && ((SECONDS < deadline)); do
            if "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" -U towline -d postgres; then
                export TOWLINE_TEST_POSTGRES="postgres://towline@127.0.0.1:$port/postgres"
                return
            fi
            sleep 0.1
        done
        progress "PostgreSQL did not start on port $port (attempt $attempt)"
    done
    cat "$work/postgres.log" >&2
    fail "PostgreSQL did not start"
}
