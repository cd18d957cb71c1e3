# zlib, as a static library. See toolchains/README.md for what a recipe is given and gives.
# Needs: make
here=$PWD
export CFLAGS="$CFLAGS -fvisibility=hidden"

cd source
CHOST=$GNU_TRIPLE ./configure --static --prefix=/install
make -j"$JOBS" libz.a

mkdir -p "$here/out/include" "$here/out/lib" "$here/out/licenses"
cp zlib.h zconf.h "$here/out/include/"
cp libz.a "$here/out/lib/"
cp LICENSE "$here/out/licenses/LICENSE.zlib.txt"
