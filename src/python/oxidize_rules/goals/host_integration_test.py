"""What executables look for on the machine: certificates, terminals, time zones, the locale."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest

from oxidize_rules.goals.testing_binaries import Packaged, Text, output
from oxidize_rules.goals.testing_environments import fill_root, need_root, tool
from oxidize_rules.goals.testing_https import https_server

CERTIFI = "/.oxidized/lib/python3.13/site-packages/certifi/cacert.pem"
INTERPRETER = {"OXIDIZED_INTERPRETER": "1"}

# Certificates. Each layout: where the authority is, and what Python then tells (file, folder).
BUNDLES = {
    "debian": "/etc/ssl/certs/ca-certificates.crt",
    "fedora": "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "rhel-7": "/etc/pki/tls/certs/ca-bundle.crt",
    "suse": "/etc/ssl/ca-bundle.pem",
    "alpine": "/etc/ssl/cert.pem",
    "freebsd": "/usr/local/share/certs/ca-root-nss.crt",
}
HASHED = {"hashed": "/etc/ssl/certs", "hashed-rhel": "/etc/pki/tls/certs"}

CONNECT = """
import socket, ssl, sys
paths = ssl.get_default_verify_paths()
print(paths.cafile, paths.capath)
context = ssl.create_default_context()
try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as plain:
        context.wrap_socket(plain, server_hostname="localhost").close()
    print("trusted")
except ssl.SSLCertVerificationError:
    print("refused")
"""


def interpreter_root(packages: Packaged, libc: str, root: Path, project: str) -> List[Text]:
    """A root with one executable, for glibc its own few files; the command that starts it there."""
    need_root()
    fill_root(root, [packages(project, libc)], ["python"], libc)
    return [tool("chroot"), root, "/python", "-c"]


def add(root: Path, path: str, source: Path) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, file)


def subject_hash(certificate: Path) -> str:
    done = subprocess.run(
        ["openssl", "x509", "-noout", "-hash", "-in", str(certificate)],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_certificates_of_the_machine(
    packages: Packaged, libc: str, folder: Path, authority: Path
) -> None:
    command = interpreter_root(packages, libc, folder, "interpreter")
    with https_server(authority) as port:

        def connect(**env: str) -> Tuple[str, str]:
            """The places that Python tells, and whether the server is trusted."""
            paths, result = output([*command, CONNECT, str(port)], env=env).splitlines()
            return paths, result

        assert connect() == ("None None", "refused")
        for path in BUNDLES.values():
            add(folder, path, authority / "ca.pem")
            told, result = connect()
            assert (told.split()[0], result) == (path, "trusted")
            # Another authority's file there is not one to trust this server with.
            add(folder, path, authority / "other.pem")
            assert connect()[1] == "refused"
            (folder / path.lstrip("/")).unlink()
        name = f"{subject_hash(authority / 'ca.pem')}.0"
        for path in HASHED.values():
            add(folder, f"{path}/{name}", authority / "ca.pem")
            assert connect() == (f"None {path}", "trusted")
            (folder / path.lstrip("/") / name).unlink()
        # What the user names wins, and then nothing else is looked for.
        add(folder, "/own.pem", authority / "ca.pem")
        add(folder, BUNDLES["debian"], authority / "other.pem")
        told, result = connect(SSL_CERT_FILE="/own.pem")
        assert (told.split()[0], result) == ("/own.pem", "trusted")
        add(folder, f"/own/{name}", authority / "ca.pem")
        assert connect(SSL_CERT_DIR="/own") == ("None /own", "trusted")
        add(folder, BUNDLES["debian"], authority / "ca.pem")
        assert connect(SSL_CERT_FILE="/nonexistent")[1] == "refused"
        assert connect(SSL_CERT_DIR="/nonexistent")[1] == "refused"


LOADED = """
import ssl
paths = ssl.get_default_verify_paths()
context = ssl.create_default_context()
print(paths.cafile, len(context.get_ca_certs()))
"""


def test_certificates_of_the_image(
    packages: Packaged, libc: str, folder: Path, authority: Path
) -> None:
    """certifi's, where it is inside and the machine has none."""
    command = interpreter_root(packages, libc, folder, "cli")

    def loaded(**env: str) -> Tuple[str, int]:
        path, count = output([*command, LOADED], env={**INTERPRETER, **env}).split()
        return path, int(count)

    path, count = loaded()
    assert path == CERTIFI
    assert count > 100
    assert loaded(SSL_CERT_FILE="/nonexistent") == ("None", 0)
    add(folder, BUNDLES["suse"], authority / "ca.pem")
    assert loaded() == (BUNDLES["suse"], 1)


# Terminals.

TERMINAL = """
import curses
curses.setupterm()
print(curses.tigetnum("colors"), curses.tigetstr("cup") is not None, curses.tigetstr("clear"))
"""
# The terminals that are compiled in, and their colors.
TERMINALS = {
    "ansi": 8,
    "dumb": -1,
    "linux": 8,
    "screen": 8,
    "screen-256color": 256,
    "tmux": 8,
    "tmux-256color": 256,
    "vt100": -1,
    "xterm": 8,
    "xterm-256color": 256,
}
# A description that no machine has.
OWN_TERMINAL = (
    "oxidize-test|a terminal,\\n\\tam, colors#99, clear=CLEAR, cup=\\\\E[%i%p1%d;%p2%dH,\\n"
)


def test_terminals(packages: Packaged, libc: str, folder: Path) -> None:
    command = interpreter_root(packages, libc, folder, "interpreter")

    def colors(terminal: str, **env: str) -> str:
        return output([*command, TERMINAL], env={"TERM": terminal, **env}).split()[0]

    for terminal, count in TERMINALS.items():
        assert colors(terminal) == str(count), terminal
    unknown = output(
        [*command, "import curses\ntry: curses.setupterm()\nexcept curses.error as e: print(e)"],
        env={"TERM": "oxidize-test"},
    )
    assert "could not find term" in unknown
    # The machine's database, wherever it is, and one that is named.
    source = folder / "own.ti"
    source.write_text(OWN_TERMINAL.encode().decode("unicode_escape"))
    database = folder / "database"
    subprocess.run([tool("tic"), "-x", "-o", str(database), str(source)], check=True)
    for path in ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/.terminfo"):
        shutil.copytree(database, folder / path.lstrip("/"))
        assert colors("oxidize-test", HOME="/") == "99", path
        shutil.rmtree(folder / path.lstrip("/"))
    assert colors("oxidize-test", TERMINFO="/database") == "99"
    assert colors("oxidize-test", TERMINFO_DIRS="/nowhere:/database") == "99"


# Time zones.

ZONES = """
import datetime, zoneinfo
for name in ("Europe/Zurich", "America/St_Johns"):
    try:
        zone = zoneinfo.ZoneInfo(name)
        print(datetime.datetime(2026, 7, 1, tzinfo=zone).utcoffset())
    except zoneinfo.ZoneInfoNotFoundError as error:
        print("none")
"""
FOUND = "2:00:00\n-1 day, 21:30:00\n"


def test_time_zones_of_the_machine(packages: Packaged, libc: str, folder: Path) -> None:
    if not os.path.isdir("/usr/share/zoneinfo/Europe"):
        pytest.skip("this machine has no time zones in /usr/share/zoneinfo")
    command = interpreter_root(packages, libc, folder, "interpreter")
    assert output([*command, ZONES]) == "none\nnone\n"
    for path in ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo"):
        for name in ("Europe/Zurich", "America/St_Johns"):
            add(folder, f"{path}/{name}", Path("/usr/share/zoneinfo") / name)
        assert output([*command, ZONES]) == FOUND, path
        shutil.rmtree(folder / path.lstrip("/"))


# The locale.

LOCALE = """
import locale, sys
print(ascii(sys.argv[1:]), sys.stdout.encoding, sys.getfilesystemencoding(), sys.flags.utf8_mode)
print("\u00e4\u20ac", locale.getencoding())
"""


@pytest.mark.parametrize(
    "env",
    [None, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"LANG": "C.UTF-8"}, {"LANG": "xx_XX.latin"}],
    ids=str,
)
def test_text_in_any_locale(packages: Packaged, libc: str, env: Optional[Dict[str, str]]) -> None:
    first, second = output(
        [packages("interpreter", libc), "-c", LOCALE, "\u00e4\U0001d11e\u20ac"], env=env
    ).splitlines()
    assert first.startswith(r"['\xe4\U0001d11e\u20ac'] utf-8 utf-8 ")
    assert second.split()[0] == "\u00e4\u20ac"
