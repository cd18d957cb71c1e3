# bzip2's library. See toolchains/README.md for what a recipe is given and gives.
# Needs: make
here=$PWD
flags="$CFLAGS -fvisibility=hidden -D_FILE_OFFSET_BITS=64"

cd source
make -j"$JOBS" libbz2.a CC="$CC" AR="$AR" RANLIB="$RANLIB" CFLAGS="$flags"

mkdir -p "$here/out/include" "$here/out/lib" "$here/out/licenses"
cp bzlib.h "$here/out/include/"
cp libbz2.a "$here/out/lib/"
cp LICENSE "$here/out/licenses/LICENSE.bzip2.txt"
