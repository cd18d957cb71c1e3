"""Facts about parts of executables: licences, versions, and what distributions and wheels have."""
