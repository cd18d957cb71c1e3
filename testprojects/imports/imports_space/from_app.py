"""The application's portion of a namespace package."""

VALUE = "app"
