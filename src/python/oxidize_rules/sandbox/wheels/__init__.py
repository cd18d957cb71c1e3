"""Third-party packages: from a lock file to the wheels that fit a target, built where none does."""
