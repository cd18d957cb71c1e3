"""What everything is compiled and linked with: zig, musl, the sysroot, libc++, libraries of gcc."""
