"""What an ELF file is, needs and has inside."""
