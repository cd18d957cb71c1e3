"""Fields that tell what a downloaded file has to be."""

from __future__ import annotations

import re
from typing import ClassVar, Optional

from pants.engine.addresses import Address
from pants.engine.target import IntField, StringField

from oxidize_rules.field_errors import invalid_field


class Sha256Field(StringField):
    alias = "sha256"
    target: ClassVar[str]  # the alias of the target's type

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not re.fullmatch("[0-9a-f]{64}", value):
            raise invalid_field(
                address,
                cls.alias,
                target=cls.target,
                found=f"`{value}`",
                expected="64 lower-case hexadecimal digits are expected",
                remedy="take the hash from where the archive's makers tell it, such as a release's "
                "`SHA256SUMS`, or run `sha256sum` on a file you trust",
            )
        return value


class SizeField(IntField):
    alias = "size"
    target: ClassVar[str]

    @classmethod
    def compute_value(cls, raw_value: Optional[int], address: Address) -> Optional[int]:
        value = super().compute_value(raw_value, address)
        if value is not None and value <= 0:
            raise invalid_field(
                address,
                cls.alias,
                target=cls.target,
                found=f"`{value}`",
                expected="a number of bytes above 0 is expected",
                remedy="write the archive's size, or leave the field off",
            )
        return value
