"""What secrets and paths of a build look like: tables of facts, each row with its source.

A row of SECRETS has a literal, which is looked for first because that is fast, and the pattern
that then has to match from there on: tried at one place, and within a bounded length, no input
makes it slow. Patterns are strict: long enough, and in the writer's own alphabet, so that names of
functions and words of a text do not match.
"""

from __future__ import annotations

import re

# How far behind its literal a pattern may match.
AROUND = 2048

# (what it is, literal, pattern, source)
SECRETS = (
    (
        "private key (PEM)",
        b"-----BEGIN ",
        # With a key behind it: programs that read such files contain the line alone.
        rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----(?:\r?\n|\\n)"
        rb"(?:[A-Za-z-]+: [^\r\n]{1,80}\r?\n|\r?\n){0,8}[A-Za-z0-9+/=]{40,}",
        "RFC 7468, RFC 1421",
    ),
    (
        "private key (PuTTY)",
        b"PuTTY-User-Key-File-",
        rb"PuTTY-User-Key-File-[23]: [a-z0-9-]{4,40}\r?\n",
        "PuTTY's manual, appendix C",
    ),
    (
        "age secret key",
        b"AGE-SECRET-KEY-1",
        rb"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        "age, format of keys",
    ),
    (
        "AWS access key",
        b"AKIA",
        rb"(?<![A-Z0-9])AKIA[A-Z2-7]{16}(?![A-Z0-9])",
        "AWS IAM, reference of unique identifiers",
    ),
    *(
        (
            "GitHub token",
            start,
            rb"(?<![A-Za-z0-9_])" + start + rb"[A-Za-z0-9]{36}(?![A-Za-z0-9_])",
            "GitHub, about authentication: token formats",
        )
        for start in (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_")
    ),
    (
        "GitHub fine-grained token",
        b"github_pat_",
        rb"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        "GitHub, about authentication: token formats",
    ),
    (
        "GitLab token",
        b"glpat-",
        rb"(?<![A-Za-z0-9_])glpat-[A-Za-z0-9_-]{20,64}(?![A-Za-z0-9_])",
        "GitLab, token overview: prefixes",
    ),
    (
        "Slack token",
        b"xox",
        rb"(?<![A-Za-z0-9])xox[abprs]-\d{8,14}-[A-Za-z0-9-]{16,100}",
        "Slack, token types",
    ),
    (
        "Slack webhook",
        b"hooks.slack.com/services/T",
        rb"hooks\.slack\.com/services/T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,30}",
        "Slack, incoming webhooks",
    ),
    (
        "Google API key",
        b"AIza",
        rb"(?<![A-Za-z0-9_-])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
        "Google Cloud, API keys",
    ),
    *(
        (
            "Stripe live key",
            start,
            rb"(?<![A-Za-z0-9])" + start + rb"[A-Za-z0-9]{24,120}",
            "Stripe, API keys",
        )
        for start in (b"sk_live_", b"rk_live_")
    ),
    (
        "upload token of the Python package index",
        b"pypi-Ag",
        rb"(?<![A-Za-z0-9])pypi-Ag[A-Za-z0-9_-]{60,}",
        "the index's help on API tokens (macaroons)",
    ),
    (
        "upload token of the npm index",
        b"npm_",
        rb"(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9_])",
        "GitHub's announcement of npm's token format, 2021",
    ),
    (
        "SendGrid key",
        b"SG.",
        rb"(?<![A-Za-z0-9.])SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])",
        "SendGrid, API keys",
    ),
    (
        "Azure storage key",
        b"AccountKey=",
        rb"AccountKey=[A-Za-z0-9+/]{86}==",
        "Azure Storage, connection strings",
    ),
    (
        "JSON web token",
        b"eyJ",
        rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{30,}",
        "RFC 7519",
    ),
    *(
        (
            "password in a URL",
            scheme,
            scheme
            + rb"[A-Za-z0-9._%+-]{2,40}:[^\s\"'<>{}$%@/:()\[\]\\`*|,;\x00-\x20\x7f-\xff]{8,80}@"
            rb"[A-Za-z0-9.-]{4,80}",
            "RFC 3986, 3.2.1",
        )
        for scheme in (
            *(b"http://", b"https://", b"ftp://", b"ftps://", b"ssh://", b"git://"),
            *(b"postgres://", b"postgresql://", b"mysql://", b"mongodb://", b"mongodb+srv://"),
            *(b"redis://", b"rediss://", b"amqp://", b"amqps://"),
        )
    ),
)

# What stands in documentation and tests in place of a secret.
PLACEHOLDERS = re.compile(
    rb"example|passw|secret|user(?:name)?:pass|xxxx|\*\*\*|changeme|dummy|foobar|"
    rb"([A-Za-z0-9])\1{7}|0123456789|abcdefgh|1234567890|localhost|EXAMPLE",
    re.IGNORECASE,
)

# Paths that tell about the machine or the person that built it: (what it is, literal, pattern).
_PART = rb"[A-Za-z0-9._+@-]{1,64}"
# Begins a path, perhaps as an option of a compiler.
_BEGIN = rb"(?:(?<![\w/.-])|(?<=-[IL]))"
PATHS = (
    ("home folder", b"/home/", rb"/home(?:/" + _PART + rb"){2,12}"),
    ("home folder", b"/root/", _BEGIN + rb"/root(?:/" + _PART + rb"){1,12}"),
    ("home folder (macOS)", b"/Users/", rb"/Users(?:/" + _PART + rb"){2,12}"),
    (
        "home folder (Windows)",
        b":\\Users\\",
        rb"(?<=[A-Z]):\\Users(?:\\" + _PART + rb"){2,12}",
    ),
    ("folder of a build", b"pants-sandbox-", rb"pants-sandbox-\w{6}(?:/" + _PART + rb"){0,12}"),
    ("folder of a build", b"/tmp/", _BEGIN + rb"/tmp(?:/" + _PART + rb"){2,12}"),
    ("folder of a build", b"/var/folders/", rb"/var/folders(?:/" + _PART + rb"){2,12}"),
    ("folder of a CI service", b"/__w/", _BEGIN + rb"/__w(?:/" + _PART + rb"){1,12}"),
    ("folder of a CI service", b"/builds/", _BEGIN + rb"/builds(?:/" + _PART + rb"){2,12}"),
    ("folder of a CI service", b"/runner/work/", rb"/runner/work(?:/" + _PART + rb"){1,12}"),
    ("package build folder", b"/usr/src/", _BEGIN + rb"/usr/src(?:/" + _PART + rb"){2,12}"),
    ("package build folder", b"/build/", _BEGIN + rb"/build(?:/" + _PART + rb"){2,12}"),
)
