"""Takes from itself what is not there yet."""

from imports_app.circle.broken import missing  # noqa: F401
