"""A package whose modules have names beyond ASCII."""
