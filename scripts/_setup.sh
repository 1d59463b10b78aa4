# Sourced by the other scripts, from the root of the checkout: brings .venv up to date with the
# sets that are named (serve, test) and sets $python to its interpreter.

is_new_enough() {
    "$1" -IS -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Any Python can run the set-up, that of .venv too; .venv is made with the newest for which
# everything in requirements/ has wheels. $PYTHON is asked first, for those who want another.
find_python() {
    python=$PWD/.venv/bin/python
    is_new_enough "$python" && return
    local found=''
    for python in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3; do
        is_new_enough "$python" || continue
        # Some distributions ship Python without the part that makes environments.
        "$python" -I -c 'import ensurepip, venv' 2>/dev/null && return
        found=${found:-$python}
    done
    if [ -n "$found" ]; then
        echo "showdown: $found cannot make virtual environments: install its venv module" \
            "(on Debian and Ubuntu: apt install python3-venv)." >&2
    else
        echo "showdown: there is no Python 3.11 or newer here: install one, or name it in" \
            "PYTHON." >&2
    fi
    exit 1
}

find_python
"$python" -IS scripts/_setup.py "$@" || exit
python=$PWD/.venv/bin/python
