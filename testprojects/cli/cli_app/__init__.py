"""The parts of the tour."""
