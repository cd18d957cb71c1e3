# CPython with every extension of its standard library built in, as objects and as an interpreter.
# See toolchains/README.md for what a recipe is given.
# Depends on: zlib bzip2 xz libffi ncurses libedit libuuid sqlite openssl.
#
# out/install         the installation (prefix /install; bin/python3.13 runs from any folder)
# out/build           objects and the files that say which extension they belong to
# out/licenses        licences of CPython and of the libraries that are part of its source
# out/sysconfig.json  what the new interpreter says about itself
# Folders of this build are written as /build in all of them.
# Needs: make
here=$PWD
deps=$here/deps
export PYTHONHASHSEED=0
# The order is configure's: the last -O counts. These are the flags of all objects.
export CFLAGS="$CFLAGS -O3" OPT="-DNDEBUG -fwrapv -Wall"
export CPPFLAGS="-I$deps/include" LDFLAGS="-L$deps/lib"
export LDFLAGS_NODIST="-Wl,--gc-sections -Wl,-z,now -Wl,-s" READELF=: STRIP=: MODULE_BUILDTYPE=static
# Stated rather than searched: the build machine's own libraries must not be found.
export ZLIB_CFLAGS=" " ZLIB_LIBS=-lz BZIP2_CFLAGS=" " BZIP2_LIBS=-lbz2
export LIBLZMA_CFLAGS=" " LIBLZMA_LIBS=-llzma LIBFFI_CFLAGS=" " LIBFFI_LIBS=-lffi
export CURSES_CFLAGS="-I$deps/include/ncursesw" CURSES_LIBS=-lncursesw
export PANEL_CFLAGS="-I$deps/include/ncursesw" PANEL_LIBS="-lpanelw -lncursesw"
export LIBEDIT_CFLAGS=" " LIBEDIT_LIBS="-ledit -lncursesw"
export LIBUUID_CFLAGS="-I$deps/include/uuid" LIBUUID_LIBS=-luuid
export LIBSQLITE3_CFLAGS=" " LIBSQLITE3_LIBS="-lsqlite3 -lm -ldl"
# What configure would find out by asking the build machine: its kernel, its network, /dev/shm.
export ac_cv_file__dev_ptmx=yes ac_cv_file__dev_ptc=no ac_cv_buggy_getaddrinfo=no
export ac_cv_posix_semaphores_enabled=yes ac_cv_broken_sem_getvalue=no ac_cv_working_tzset=yes
# Where it would write down the build machine's programs.
export INSTALL="install -c" MKDIR_P="mkdir -p" PYTHON_FOR_REGEN=python3

case $TARGET_TRIPLE in
  *-musl)
    # configure recognises musl by a macro of musl's stdarg.h, which clang's own file replaces.
    export CPP="$CC -E -D__DEFINED_va_list"
    # A static program exports nothing, and has no loader: `ctypes.PyDLL(None)` raises OSError.
    # ctypes can do without, as on other platforms; a program with dlopen of its own is not hindered.
    export LINKFORSHARED=" "
    sed -i 's/^    pythonapi = PyDLL(None)$/    try:\n        pythonapi = PyDLL(None)\n    except OSError:\n        pythonapi = None/' \
      source/Lib/ctypes/__init__.py
    grep -q 'pythonapi = None' source/Lib/ctypes/__init__.py
    ;;
esac

cd source
# Equal triples make a native build: the new interpreter runs here, and compiles its own library.
./configure --build="$GNU_TRIPLE" --host="$GNU_TRIPLE" --prefix=/install \
  --disable-shared --with-static-libpython --with-ensurepip=no \
  --with-pkg-config=no --with-readline=editline --with-openssl="$deps" --with-openssl-rpath=no \
  --with-system-expat=no --with-system-libmpdec=no --enable-loadable-sqlite-extensions \
  --with-computed-gotos --with-mimalloc
# configure has decided, by MODULE_BUILDTYPE, which extensions are built in; the build follows. The
# list's last section has modules for tests of loading files, which CPython wants as shared libraries.
# Three of them are built in all the same, since most tests of importing ask for one of them; those
# that need a file (_ctypes_test, the examples of the limited API) are left out.
grep -q '^\*shared\*$' Modules/Setup.stdlib
sed -i -e '/^\*shared\*$/d' -e '/^_ctypes_test /d' -e '/^_testexternalinspection /d' \
  -e '/^xxlimited/d' Modules/Setup.stdlib
cp Modules/Setup.stdlib Modules/Setup.local
# A program of the build has all that is built in, but no getpath.py yet: _testinternalcapi asks for it.
cat >> Modules/getpath_noop.c <<'C'

PyObject *_Py_Get_Getpath_CodeObject(void) { return NULL; }
C
make -j"$JOBS"
# Bytecode is the consumer's to make: the three rounds of compileall print their help instead.
make install DESTDIR="$here/out" COMPILEALL_OPTS=--help

# The names of all places of this build, and the macro above, go out of text files.
cd "$here/out/install"
grep -rIlF -e "$here" -e ' -D__DEFINED_va_list' . | while IFS= read -r file; do
  sed -i -e "s|$here|/build|g" -e 's/ -D__DEFINED_va_list//g' "$file"
done

# Bytecode that the build made for itself goes. Without _tkinter its packages cannot be imported.
library=lib/python3.13
find . -name __pycache__ -type d -prune -exec rm -rf {} +
rm -rf bin/idle3* $library/idlelib $library/tkinter $library/turtledemo $library/turtle.py
# An archive has no empty folders, and the interpreter knows its place by this one.
touch $library/lib-dynload/.empty
# Scripts find the interpreter beside themselves.
for script in bin/pydoc3.13; do
  sed -i "1c#!/bin/sh\n'''exec' \"\$(dirname -- \"\$(realpath -- \"\$0\")\")/python3.13\" \"\$0\" \"\$@\"\n' '''" $script
done
platform_config=$(echo $library/config-3.13*)
# The archive of objects is installed twice; the second is a link, as python-build-standalone has it.
ln -sf "${platform_config#lib/}/libpython3.13.a" lib/libpython3.13.a

cd "$here/source"
mkdir -p "$here/out/build" "$here/out/licenses"
# getpath_noop.o belongs to a program of the build, as all of Programs but python.o.
find Modules Objects Parser Python Programs/python.o -name '*.o' ! -name getpath_noop.o \
  -exec cp --parents {} "$here/out/build" \;
cp --parents Modules/config.c Modules/config.c.in Modules/Setup Modules/Setup.bootstrap \
  Modules/Setup.local Modules/Setup.stdlib Python/frozen.c "$here/out/build"
sed -i "s|$here|/build|g" "$here"/out/build/Modules/config.c "$here"/out/build/Modules/Setup*

cp LICENSE "$here/out/licenses/LICENSE.cpython.txt"
cp Doc/license.rst "$here/out/licenses/LICENSE.cpython-incorporated-software.txt"
cp Modules/expat/COPYING "$here/out/licenses/LICENSE.expat.txt"
# libmpdec's licence stands in its files only: the first comment.
sed '/\*\//q' Modules/_decimal/libmpdec/mpdecimal.c > "$here/out/licenses/LICENSE.mpdecimal.txt"
musl_license=$here/__zig/ziglang/lib/libc/musl/COPYRIGHT
case $TARGET_TRIPLE in
  *-musl) [ ! -f "$musl_license" ] || cp "$musl_license" "$here/out/licenses/LICENSE.musl.txt" ;;
esac

cd "$here"
cat > describe.py <<'PY'
import importlib.machinery, importlib.util, json, os, sys, sysconfig

here = os.getcwd()


def portable(value):
    text = str(value).replace(os.path.join(here, "out", "install"), "/install")
    return text.replace(here, "/build")


json.dump(
    {
        "abi_tag": sys.abiflags,
        "bytecode_magic_number": importlib.util.MAGIC_NUMBER.hex(),
        "config_vars": {k: portable(v) for k, v in sysconfig.get_config_vars().items()},
        "implementation_cache_tag": sys.implementation.cache_tag,
        "implementation_hex_version": sys.implementation.hexversion,
        "implementation_name": sys.implementation.name,
        "implementation_version": [str(part) for part in sys.implementation.version],
        "paths": {k: portable(v).lstrip("/") for k, v in sysconfig.get_paths().items()},
        "paths_abstract": sysconfig.get_paths(expand=False),
        "platform_tag": sysconfig.get_platform(),
        "suffixes": {
            "bytecode": importlib.machinery.BYTECODE_SUFFIXES,
            "debug_bytecode": importlib.machinery.DEBUG_BYTECODE_SUFFIXES,
            "extension": importlib.machinery.EXTENSION_SUFFIXES,
            "optimized_bytecode": importlib.machinery.OPTIMIZED_BYTECODE_SUFFIXES,
            "source": importlib.machinery.SOURCE_SUFFIXES,
        },
        "version": "%d.%d.%d" % sys.version_info[:3],
    },
    open("out/sysconfig.json", "w"),
    indent=1,
    sort_keys=True,
)
PY
out/install/bin/python3.13 -I -S -B describe.py
