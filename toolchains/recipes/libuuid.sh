# libuuid of util-linux. See toolchains/README.md for what a recipe is given and gives.
# Needs: make
here=$PWD
export CFLAGS="$CFLAGS -fvisibility=hidden"

cd source
./configure --build="$BUILD_GNU_TRIPLE" --host="$GNU_TRIPLE" --prefix=/install \
  --disable-dependency-tracking --disable-shared --enable-static --disable-nls \
  --localstatedir=/var --disable-all-programs --enable-libuuid --disable-bash-completion \
  --without-python --disable-asciidoc --disable-poman --without-systemd --without-udev
make -j"$JOBS" libuuid.la libuuid/uuid.pc

mkdir -p "$here/out/include/uuid" "$here/out/lib/pkgconfig" "$here/out/licenses"
cp libuuid/src/uuid.h "$here/out/include/uuid/"
cp .libs/libuuid.a "$here/out/lib/"
cp libuuid/uuid.pc "$here/out/lib/pkgconfig/"
cp Documentation/licenses/COPYING.BSD-3-Clause "$here/out/licenses/LICENSE.libuuid.txt"
