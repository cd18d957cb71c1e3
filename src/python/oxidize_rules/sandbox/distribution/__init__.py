"""Archives of Python distributions: unpacked, read, written, and found in releases."""
