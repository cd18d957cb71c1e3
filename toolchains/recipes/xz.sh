# liblzma of XZ Utils. See toolchains/README.md for what a recipe is given and gives.
# Needs: make
here=$PWD
export CFLAGS="$CFLAGS -fvisibility=hidden"

cd source
# Without translations, documentation and programs, only liblzma (licence: 0BSD) is built.
./configure --build="$BUILD_GNU_TRIPLE" --host="$GNU_TRIPLE" --prefix=/install \
  --disable-dependency-tracking --disable-shared --enable-static --disable-nls --disable-doc \
  --disable-xz --disable-xzdec --disable-lzmadec --disable-lzmainfo --disable-lzma-links \
  --disable-scripts
make -j"$JOBS" -C src/liblzma
make -C src/liblzma install DESTDIR="$here/staging"

mkdir -p "$here/out/lib" "$here/out/licenses"
cp -R "$here/staging/install/include" "$here/out/"
cp "$here/staging/install/lib/liblzma.a" "$here/out/lib/"
cp COPYING.0BSD "$here/out/licenses/LICENSE.liblzma.txt"
