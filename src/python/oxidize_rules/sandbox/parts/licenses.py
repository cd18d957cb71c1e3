"""Licence expressions: parsed exactly, and asked whether they are copyleft.

Syntax: SPDX specification 2.3, annex D ("SPDX License Expressions"): `WITH` binds tighter than
`AND`, `AND` than `OR`; identifiers and operators in any case, as PEP 639 reads them.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Callable, Iterable, Sequence
    from typing import Optional, Union

    # An identifier with its exception ("" without one), or an operator with its operands.
    Tree = Union["tuple[str, str]", "tuple[str, list[Tree]]"]
    Answer = Optional[bool]

# SPDX identifiers in lower case, as in `fnmatch`. Copyleft: who passes on the work, or what is
# linked with it, has to pass on source code under the same terms, of all of it or of a part.
COPYLEFT = (
    *("agpl-*", "apsl-*", "arphic-1999", "cal-1.0*", "cc-by-sa-*", "cddl-*", "cecill-1.*"),
    *("cecill-2.*", "cecill-c", "cpal-1.0", "cpl-1.0", "epl-*", "erlpl-1.1", "eupl-*"),
    *("gfdl-*", "gpl-*", "hippocratic-*", "ipl-1.0", "lgpl-*", "lgpllr", "liliq-r*", "ms-rl"),
    *("mpl-*", "netcdf-gpl", "nokia", "npl-*", "nposl-3.0", "ofl-*", "osl-*", "parity-*"),
    *("qpl-*", "rpl-*", "rpsl-1.0", "sissl*", "simpl-2.0", "sleepycat", "spl-1.0", "sspl-1.0"),
    *("sugarcrm-1.1.3", "ucl-1.0", "vostrom", "wxwindows", "ypl-*"),
)
PERMISSIVE = (
    *("0bsd", "aal", "afl-*", "apache-*", "artistic-*", "beerware", "blessing", "blueoak-1.0.0"),
    *("bsd-*", "bsl-1.0", "bzip2-1.0.*", "cc-by-[1-4].*", "cc0-1.0", "cecill-b", "cnri-*"),
    *(
        "curl",
        "dtoa",
        "ecl-*",
        "efl-*",
        "fsfap*",
        "ftl",
        "hpnd*",
        "icu",
        "ijg*",
        "imagemagick",
        "isc*",
    ),
    *("json", "libpng*", "libtiff", "linux-openib", "mit", "mit-*", "mulanpsl-*", "ncsa", "ntp*"),
    *("openssl", "php-3.*", "postgresql", "psf-2.0", "python-2.0*", "smlnj", "snia", "spencer-*"),
    *("ssh-*", "sunpro", "tcl", "unicode-*", "unlicense", "upl-1.0", "w3c*", "wtfpl", "x11*"),
    *("xnet", "zlib*", "zpl-*", "bitstream-vera", "naumen", "netsnmp", "saxpath"),
)
# Exceptions that allow to link, or to pass on what a tool wrote, under any terms.
LINKING_EXCEPTIONS = (
    *("autoconf-exception-*", "bison-exception-*", "bootloader-exception", "classpath-exception-*"),
    *("ecos-exception-2.0", "fltk-exception", "font-exception-2.0", "freertos-exception-2.0"),
    *("gcc-exception-*", "gnat-exception", "gnu-javamail-exception", "i2p-gpl-java-exception"),
    *("libpri-openh323-exception", "libtool-exception", "linux-syscall-note"),
    *("lgpl-3.0-linking-exception", "llgpl", "llvm-exception", "macros-and-inline-functions-*"),
    *("nokia-qt-exception-1.1", "ocaml-lgpl-linking-exception", "openjdk-assembly-exception-1.0"),
    *("openvpn-openssl-exception", "ps-or-pdf-font-exception-20170817", "u-boot-exception-2.0"),
    *("universal-foss-exception-1.0", "wxwindows-exception-3.1"),
)

_TOKEN = re.compile(r"\s*(\(|\)|[A-Za-z0-9.:+-]+)")


class BadExpression(ValueError):
    """Not a licence expression; the message says why."""


def parse(expression: str) -> Tree:
    """`("MIT", "")` for an identifier, `("AND", [...])` and `("OR", [...])` for more.

    Raises BadExpression.
    """
    tokens: list[str] = []
    at = 0
    text = expression.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadExpression(f"`{expression}` has `{text[at:].strip()[:1]}`")
        tokens.append(match.group(1))
        at = match.end()
    tokens.reverse()
    tree = _operation(tokens, expression, ("OR", "AND"))
    if tokens:
        raise BadExpression(f"`{expression}` goes on with `{tokens[-1]}` where it should end")
    return tree


def _operation(tokens: list[str], expression: str, operators: Sequence[str]) -> Tree:
    if not operators:
        return _license(tokens, expression)
    operands = [_operation(tokens, expression, operators[1:])]
    while tokens and tokens[-1].upper() == operators[0]:
        tokens.pop()
        operands.append(_operation(tokens, expression, operators[1:]))
    return operands[0] if len(operands) == 1 else (operators[0], operands)


def _license(tokens: list[str], expression: str) -> Tree:
    token = tokens.pop() if tokens else "its end"
    if token == "(":
        inner = _operation(tokens, expression, ("OR", "AND"))
        if not tokens or tokens.pop() != ")":
            raise BadExpression(f"`{expression}` has a `(` without its `)`")
        return inner
    if token in (")", "its end") or token.upper() in ("AND", "OR", "WITH"):
        raise BadExpression(f"`{expression}` has `{token}` where a licence should be")
    exception = ""
    if tokens and tokens[-1].upper() == "WITH":
        tokens.pop()
        if not tokens or tokens[-1] in "()":
            raise BadExpression(f"`{expression}` has WITH without an exception")
        exception = tokens.pop()
    return token, exception


def is_copyleft(expressions: Iterable[str]) -> bool | None:
    """Whether something under all of these licences is copyleft. None: that is not known.

    Of alternatives (`OR`) one may choose: copyleft is only what leaves no other choice. Of parts
    (`AND`) each counts.
    """
    return _all([evaluate(_parsed(one), is_copyleft_license) for one in expressions])


def _parsed(expression: str) -> Tree:
    try:
        return parse(expression)
    except BadExpression:
        return "", ""


def evaluate(tree: Tree, decide: Callable[[str, str], Answer]) -> Answer:
    """Whether what is under `tree` has a property that forbids something, such as being copyleft.

    `decide(identifier, exception)` tells it of one licence; None: that is not known. Of
    alternatives one may choose, of parts each counts.
    """
    first, second = tree
    if isinstance(second, str):
        return decide(first, second)
    answers = [evaluate(operand, decide) for operand in second]
    if first == "AND":
        return _all(answers)
    return _opposite(_all([_opposite(answer) for answer in answers]))


def is_copyleft_license(identifier: str, exception: str) -> Answer:
    """Of one licence, with its exception ("" without one). None: that is not known."""
    identifier = identifier.lower().rstrip("+")
    if any(fnmatchcase(identifier, pattern) for pattern in PERMISSIVE):
        return False
    if any(fnmatchcase(identifier, pattern) for pattern in COPYLEFT):
        return not allows_linking(exception)
    return None


def allows_linking(exception: str) -> bool:
    """Whether an exception takes away what its copyleft licence asks of who links the work."""
    return any(fnmatchcase(exception.lower(), pattern) for pattern in LINKING_EXCEPTIONS)


def render(tree: Tree) -> str:
    """The expression of a tree, with no more parentheses than needed."""
    first, second = tree
    if isinstance(second, str):
        return f"{first} WITH {second}" if second else first
    texts = [
        f"({render(operand)})" if first == "AND" and operand[0] == "OR" else render(operand)
        for operand in second
    ]
    return f" {first} ".join(texts)


def identifiers(expression: str) -> list[str]:
    """The single licences in an expression, each with its exception, sorted.

    Raises BadExpression.
    """
    found, rest = set(), [parse(expression)]
    while rest:
        first, second = rest.pop()
        if isinstance(second, str):
            found.add(render((first, second)))
        else:
            rest.extend(second)
    return sorted(found, key=str.lower)


def combine(expressions: Iterable[str]) -> str:
    """One expression for something made of parts under these licences; each stands in it once.

    Raises BadExpression; of no parts there is no expression.
    """
    trees: dict[str, Tree] = {}
    for expression in expressions:
        for one in _conjuncts(parse(expression)):
            trees[render(one).lower()] = one
    if not trees:
        raise BadExpression("there is no licence to combine")
    sorted_trees = [trees[key] for key in sorted(trees)]
    return render(sorted_trees[0] if len(trees) == 1 else ("AND", sorted_trees))


def _conjuncts(tree: Tree) -> list[Tree]:
    first, second = tree
    if first != "AND" or isinstance(second, str):
        return [tree]
    return [one for operand in second for one in _conjuncts(operand)]


def _all(answers: Sequence[Answer]) -> Answer:
    """Of parts: copyleft if one is; not known if one is not known; else not."""
    if any(answers):
        return True
    return None if None in answers else False


def _opposite(answer: Answer) -> Answer:
    return None if answer is None else not answer
