"""The wheel's portion of a namespace package."""

VALUE = "wheel"
