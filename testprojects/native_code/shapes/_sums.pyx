"""Sums in Cython."""


def total(values):
    cdef double result = 0.0
    cdef double value
    for value in values:
        result += value
    return result
