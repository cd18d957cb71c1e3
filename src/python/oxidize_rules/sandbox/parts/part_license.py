"""Whence a part has its licence: its project's statement, a SBOM of its wheel, or a table."""

from __future__ import annotations

from typing import Any, Dict, Optional

from oxidize_rules.sandbox.parts.bundled_libraries import Row
from oxidize_rules.sandbox.parts.facts import Texts
from oxidize_rules.sandbox.parts.license_expressions import all_of
from oxidize_rules.sandbox.parts.license_statement import Statement, state_of_name
from oxidize_rules.sandbox.parts.wheel_sboms import Component

Part = Dict[str, Any]


def license_by_statement(part: Part, statement: Statement, texts: Texts) -> None:
    part["license"] = statement.expression
    part["license_from"] = statement.origin or None
    part["extracted"] = {
        ref: texts.add(text.encode("utf-8", "surrogateescape"))
        for ref, text in statement.extracted.items()
    }


def license_by_sbom(part: Part, component: Component, texts: Texts) -> None:
    origin = f"the SBOM `{component.document}` in its wheel"
    statements = [state_of_name(component.name, one) for one in component.licenses]
    extracted: Dict[str, str] = {}
    for one in statements:
        extracted.update(one.extracted)
    license_by_statement(
        part,
        Statement(
            all_of(one.expression for one in statements),
            origin if component.licenses else f"{origin}, which tells no licence",
            extracted,
        ),
        texts,
    )


def license_by_table(part: Part, row: Row, numbers: Optional[str]) -> None:
    """`numbers`: of the version, or those in the file's name."""
    part["license"] = row.license_of(numbers)
    part["license_from"] = row.source if part["license"] else None
