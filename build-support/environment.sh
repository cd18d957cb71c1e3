# Shell functions that find, or make once, what this repository's commands run in. To be sourced by
# a POSIX shell with $root set to the repository's folder.
#
# Everything lives in one cache folder that all clones of one user share. A name in it is a hash of
# what went in, and a folder counts only when its `ready` file is there, which is written last.

if [ -z "${XDG_CACHE_HOME:-}" ] && [ -z "${HOME:-}" ]; then
    echo "oxidize_rules: neither XDG_CACHE_HOME nor HOME is set: set one, to tell where to keep Pants." >&2
    exit 3
fi
oxidize_cache=${XDG_CACHE_HOME:-$HOME/.cache}/oxidize_rules
case $oxidize_cache in
    *[!A-Za-z0-9/._@+=,:-]*)
        # Pants takes the pex as a file:// URL, whose escapes it does not undo.
        echo "oxidize_rules: the cache folder $oxidize_cache may hold letters, digits and ._@+=,:- only." \
            "Set XDG_CACHE_HOME to such a folder." >&2
        exit 3
        ;;
    /*) ;;
    *) echo "oxidize_rules: the cache folder $oxidize_cache is no absolute path: set XDG_CACHE_HOME." >&2
        exit 3
        ;;
esac

# Sets $python to a CPython 3.9. The one found by an earlier start serves until it is gone, since
# the search may have to run a few candidates.
choose_python() {
    python=''
    if [ -z "${OXIDIZE_PYTHON:-}" ] && [ -f "$oxidize_cache/python" ]; then
        IFS= read -r python < "$oxidize_cache/python" || python=''
    fi
    [ -z "$python" ] || [ ! -x "$python" ] || return 0
    python=$("$root/build-support/find-python") || exit 3
    [ -n "${OXIDIZE_PYTHON:-}" ] || {
        mkdir -p "$oxidize_cache"
        printf '%s\n' "$python" > "$oxidize_cache/python.$$"
        mv -f "$oxidize_cache/python.$$" "$oxidize_cache/python"
    }
}

# Prints a short hash of the given files' contents and of the word that comes first.
content_key() { # content_key WORD FILE...
    word=$1
    shift
    { printf '%s\n' "$word" && cat "$@"; } | sha256sum | cut -c 1-16
}

# Sets $environment to a virtual environment with the packages of the lock files.
need_environment() { # need_environment NAME LOCK...
    name=$1
    shift
    environment=$oxidize_cache/$name-$(content_key "$python" "$root/build-support/boot.py" "$@")
    [ -f "$environment/ready" ] ||
        "$python" -E -s "$root/build-support/boot.py" environment "$environment" "$@" || exit $?
}

# Sets $pex_url to the file:// URL of the rebuilt pex.
need_pex() {
    lock=$root/build-support/pex.lock
    folder=$oxidize_cache/pex-$(content_key pex "$root/build-support/boot.py" "$lock")
    [ -f "$folder/ready" ] ||
        "$python" -E -s "$root/build-support/boot.py" pex "$folder" "$lock" "$root/pants.toml" ||
        exit $?
    IFS= read -r pex_url < "$folder/ready"
}

# Exports what Pants and Pants' tests need to know of this machine, where the user has not said it.
export_pants_settings() {
    export NO_SCIE_WARNING=1
    export PANTS_PEX_CLI_URL_TEMPLATE="${PANTS_PEX_CLI_URL_TEMPLATE:-$pex_url}"
    # The interpreter may stand where Pants would not look for one.
    export PANTS_PYTHON_BOOTSTRAP_SEARCH_PATH="${PANTS_PYTHON_BOOTSTRAP_SEARCH_PATH:-"+['${python%/*}']"}"
    # Pants' own downloads know the certificates that came with it, not those the machine trusts.
    if [ -z "${PANTS_CA_CERTS_PATH:-}" ]; then
        for certificates in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt; do
            [ -f "$certificates" ] || continue
            export PANTS_CA_CERTS_PATH="$certificates"
            break
        done
    fi
}
