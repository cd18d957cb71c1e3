"""Shapes, counted in C, named in C++ and added up in Cython."""

from shapes._area import rectangle
from shapes._names import describe, unwound
from shapes._sums import total

__all__ = ["describe", "rectangle", "total", "unwound"]
