# SQLite. See toolchains/README.md for what a recipe is given and gives.
# Needs: make tclsh
here=$PWD

cd source
# Debian's archive is the source tree: the one-file form is made from it by SQLite's own scripts.
if [ ! -f sqlite3.c ]; then
  CC=$HOST_CC CFLAGS=-O1 ./configure --build="$BUILD_GNU_TRIPLE" --disable-readline --disable-tcl
  make -j"$JOBS" sqlite3.c BCC="$HOST_CC -O1"
fi
# The features of python-build-standalone's SQLite, and column metadata as Debian's has.
$CC $CFLAGS -fvisibility=hidden -c sqlite3.c -o sqlite3.o \
  -DSQLITE_THREADSAFE=1 -DSQLITE_TEMP_STORE=1 -DHAVE_USLEEP=1 -DHAVE_FDATASYNC=1 \
  -DHAVE_LOCALTIME_R=1 -DHAVE_GMTIME_R=1 -DHAVE_STRERROR_R=1 -DHAVE_POSIX_FALLOCATE=1 \
  -DSQLITE_ENABLE_COLUMN_METADATA -DSQLITE_ENABLE_DBSTAT_VTAB -DSQLITE_ENABLE_FTS3 \
  -DSQLITE_ENABLE_FTS3_PARENTHESIS -DSQLITE_ENABLE_FTS4 -DSQLITE_ENABLE_FTS5 \
  -DSQLITE_ENABLE_GEOPOLY -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_ENABLE_RTREE
$AR rcsD libsqlite3.a sqlite3.o

mkdir -p "$here/out/include" "$here/out/lib" "$here/out/licenses"
cp sqlite3.h "$here/out/include/"
if [ -f sqlite3ext.h ]; then cp sqlite3ext.h "$here/out/include/"; else cp src/sqlite3ext.h "$here/out/include/"; fi
cp libsqlite3.a "$here/out/lib/"
cp LICENSE.md "$here/out/licenses/LICENSE.sqlite.txt"
