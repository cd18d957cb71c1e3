# libffi. See toolchains/README.md for what a recipe is given and gives.
# Needs: make autoreconf libtoolize m4
here=$PWD
export CFLAGS="$CFLAGS -fvisibility=hidden"

cd source
# A release has `configure`; Debian's archive of the same version is the bare repository.
[ -f configure ] || autoreconf -fi
# Static trampolines would find their own code by reading /proc/self/maps, which a program on a
# bare root cannot; without them libffi makes an executable mapping itself.
./configure --build="$BUILD_GNU_TRIPLE" --host="$GNU_TRIPLE" --prefix=/install \
  --disable-dependency-tracking --disable-shared --enable-static --disable-docs \
  --disable-multi-os-directory --disable-exec-static-tramp
make -j"$JOBS"
make install DESTDIR="$here/staging"

mkdir -p "$here/out/lib/pkgconfig" "$here/out/licenses"
cp -R "$here/staging/install/include" "$here/out/"
cp "$here/staging/install/lib/libffi.a" "$here/out/lib/"
cp "$here/staging/install/lib/pkgconfig/libffi.pc" "$here/out/lib/pkgconfig/"
cp LICENSE "$here/out/licenses/LICENSE.libffi.txt"
