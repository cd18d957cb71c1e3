from __future__ import annotations

import json
import time
from typing import Any

import pytest

from oxidize_rules.sandbox.analysis.analyze_strings import Strings
from oxidize_rules.sandbox.analysis.secret_patterns import PATHS, SECRETS

# Of the right form, and nobody's: letters in a row that no random source gives. Each is put
# together, so that no scanner takes this file for a leak.
BODY = "Kd83hfQpLw92mZxVtB47RsYcNj6GeAuT" * 4
REAL = {
    "private key (PEM)": "-----BEGIN RSA PRIVATE" + " KEY-----\n" + BODY[:64] + "\n" + BODY[:64],
    "private key (PuTTY)": "PuTTY-User-Key-" + "File-2: ssh-ed25519\r\n",
    "age secret key": "AGE-SECRET-"
    + "KEY-1"
    + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
    + "QPZRY9X8GF2TVDW0S3JN54KHCE",
    "AWS access key": "AKIA" + "IOSF2NN7QRVTPLMK",
    "GitHub token": "ghp_" + BODY[:36],
    "GitHub fine-grained token": "github_pat_" + BODY[:22] + "_" + BODY[:59],
    "GitLab token": "glpat-" + BODY[:20],
    "Slack token": "xoxb-" + "7391846205" + "-" + BODY[:24],
    "Slack webhook": "https://hooks.slack.com/" + "services/T8QK2PLM4/B7WX3NRV5/" + BODY[:24],
    "Google API key": "AIza" + BODY[:35],
    "Stripe live key": "sk_" + "live_" + BODY[:24],
    "upload token of the Python package index": "pypi-" + "Ag" + BODY[:80],
    "upload token of the npm index": "npm_" + BODY[:36],
    "SendGrid key": "SG." + BODY[:22] + "." + BODY[:43],
    "Azure storage key": "AccountKey=" + BODY[:86] + "==",
    "JSON web token": "eyJ" + BODY[:20] + ".eyJ" + BODY[:40] + "." + BODY[:43],
    "password in a URL": "postgres" + "://shop:Kd83hfQpLw@db.internal.net/shop",
}
HARMLESS = (
    "-----BEGIN PRIVATE KEY-----\0-----END PRIVATE KEY-----",  # OpenSSL's own words
    "-----BEGIN RSA PRIVATE KEY-----\n...\n",
    "https://user:password@example.com/",
    "http://%s:%s@%s/",
    "https://host:8080/a@b",
    "ghp_short",
    "AKIAIOSFODNN7EXAMPLE",  # of the provider's own documentation
    "eyJhbGciOiJIUzI1NiJ9",
    "npm_config_registry npm_package_name_of_something_very_long_indeed",
    "sk_test_" + BODY[:24],
    "AIzaNotLongEnough",
    "postgresql://scott:tiger@localhost/test",
)


def found(text: bytes | str) -> dict[str, Any]:
    strings = Strings()
    content = text.encode() if isinstance(text, str) else text
    strings.add(content, lambda at: f"at {at}")
    return strings.as_json()


@pytest.mark.parametrize("what", REAL)
@pytest.mark.parametrize("around", [("", ""), ("x = '", "'\n"), ("\0\0", "\0\0")])
def test_secrets_are_found_and_never_shown(what: str, around: tuple[str, str]) -> None:
    secret = REAL[what]
    result = found(around[0] + secret + around[1])
    assert list(result["secrets"]) == [what]
    assert result["secrets"][what]["count"] == 1
    (example,) = result["secrets"][what]["examples"]
    assert example["where"].startswith("at ")
    told = json.dumps(result)
    # Nothing of the secret itself beyond what names its kind and its first characters.
    assert BODY[6:14] not in told
    if not what.startswith("private key"):  # of these the first line names the kind alone
        assert not [at for at in range(8, len(secret) - 14) if secret[at : at + 14] in told]


def test_every_row_has_an_example_here() -> None:
    assert set(REAL) == {row[0] for row in SECRETS}
    assert all(row[3] for row in SECRETS)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_secret(text: str) -> None:
    assert found(f"\0{text}\0")["secrets"] == {}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/home/maria/work/app/x.c", "/home/maria/work/app/x.c"),
        ("/root/project/x.c", "/root/project/x.c"),
        ("/Users/maria/x.c", "/Users/maria/x.c"),
        ("C:\\Users\\maria\\x.c", ":\\Users\\maria\\x.c"),
        ("/var/pants-sandbox-a1B2c3/x/y.o", "pants-sandbox-a1B2c3/x/y.o"),
        ("-I/tmp/tmp.Xyz/include", "/tmp/tmp.Xyz/include"),
        ("/__w/project/x.c", "/__w/project/x.c"),
    ],
)
def test_paths_of_a_build(text: str, path: str) -> None:
    result = found(f"\0{text}\0")
    examples = [one["path"] for of in result["paths"].values() for one in of["examples"]]
    assert path in examples


@pytest.mark.parametrize("text", ["/usr/lib/x.so", "/tmp", "/lib/root/x", "https://h/home/x"])
def test_paths_of_every_machine(text: str) -> None:
    paths = found(f"\0{text}\0")["paths"]
    assert paths == {}


def test_many_are_counted_and_a_few_are_told() -> None:
    text = "".join(f"/home/maria/{number}.c\0" for number in range(100))
    (row,) = found(text)["paths"].values()
    assert row["count"] == 100
    assert len(row["examples"]) == 5


def test_hostile_text_takes_no_time() -> None:
    """Near matches, one behind the other: a pattern that searches ahead of its literal, or tracks
    back without end, takes minutes."""
    start = time.monotonic()
    for literal in [*(row[1] for row in SECRETS), *(row[1] for row in PATHS)]:
        for filler in (literal, literal + b"a" * 60, literal + b"-a" * 40 + b"/", literal + b"\n"):
            found(filler * (30_000 // len(filler)))
    assert time.monotonic() - start < 30
