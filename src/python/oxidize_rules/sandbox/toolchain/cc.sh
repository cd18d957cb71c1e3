#!/bin/sh
# The compiler and the binary tools of a sysroot, under the names that build scripts call:
# cc, c++, host-cc, ar, ranlib, ld and ld.lld are copies of this file (see sandbox/toolchain/sysroot.py).
#
# It calls zig's clang and lld directly: `zig cc` would build a C library on the first link with
# each new combination of options, and refuses some linker options. c++ has a standard library where
# a folder `__cxx` stands beside the sysroot (see sandbox/toolchain/cxx_library.py).
#
# Environment: OXIDIZE_SANDBOX, the folder that holds `__zig` and is written as /build in objects
# (default: the folder that holds the sysroot).
case $0 in
  /*) bin=${0%/*} ;;
  */*) bin=$PWD/${0%/*} ;;
  *) bin=$PWD ;;
esac
tool=${0##*/}
sysroot=${bin%/*}
sandbox=${OXIDIZE_SANDBOX:-${sysroot%/*}}
zig=$sandbox/__zig/ziglang/zig

case $tool in
  ar | ranlib) exec "$zig" "$tool" "$@" ;;
  ld | ld.lld) exec "$zig" ld.lld "$@" ;;
  c++) driver=g++ ;;
  *) driver=gcc ;;
esac

# Defines `architecture`, `compile`, `link_program` and `link_shared`.
if [ "$tool" = c++ ] && [ -f "$sandbox/__cxx/config.sh" ]; then
  . "$sandbox/__cxx/config.sh"
else
  . "$bin/config.sh"
fi

if [ "$tool" = host-cc ] && [ "$architecture" != "$(uname -m)" ]; then
  if [ -z "${OXIDIZE_HOST_SYSROOT:-}" ]; then
    echo "host-cc: programs for $architecture do not run here, and OXIDIZE_HOST_SYSROOT is not set." >&2
    exit 1
  fi
  exec "$OXIDIZE_HOST_SYSROOT/bin/cc" "$@"
fi

action=link_program
input=no
for word do
  case $word in
    -c | -S | -E | -M | -MM | -fsyntax-only | --version | -dump* | -print-* | --print-* | '-###')
      action=compile
      break
      ;;
    -r | -nostdlib | -nostartfiles | -nodefaultlibs) action=link_bare ;;
    -shared) [ $action = link_bare ] || action=link_shared ;;
    -*) ;;
    *) input=yes ;;
  esac
done
# `cc -v` and the like have nothing to link.
[ $input = yes ] || action=compile

# With libraries of its own (`-nostdlib`) or a partial link, a command says everything itself.
link_bare() { compile -nostdlib "$@"; }

$action "$@"
