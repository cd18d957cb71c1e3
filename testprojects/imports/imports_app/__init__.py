"""A first-party package with data beside its modules."""

VALUE = 1
