"""A package with tests of its own, for pytest and coverage inside an executable."""
