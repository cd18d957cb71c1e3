# libedit, which stands in for GNU readline. See toolchains/README.md for what a recipe is given.
# Depends on: ncurses.
# Needs: make
here=$PWD
export CFLAGS="$CFLAGS -fvisibility=hidden"
# libedit asks by this macro whether wchar_t holds Unicode; musl's does, and does not say so.
export CPPFLAGS="-I$here/deps/include -I$here/deps/include/ncursesw -D__STDC_ISO_10646__=201103L"
# libedit looks for -lncurses. The library with wide characters has the same functions.
mkdir alias
ln -s "$here/deps/lib/libncursesw.a" alias/libncurses.a
export LDFLAGS="-L$here/alias"

cd source
./configure --build="$BUILD_GNU_TRIPLE" --host="$GNU_TRIPLE" --prefix=/install \
  --disable-dependency-tracking --disable-shared --enable-static --disable-examples
make -j"$JOBS" -C src
make -C src install DESTDIR="$here/staging"

mkdir -p "$here/out/lib/pkgconfig" "$here/out/licenses"
cp -R "$here/staging/install/include" "$here/out/"
cp "$here/staging/install/lib/libedit.a" "$here/out/lib/"
# Releases are told apart by their dates; the number before has been 3.1 since 2010.
released=$(sed -n 's/^[ *]*\(20[0-9][0-9]\)-\([01][0-9]\)-\([0-3][0-9]\) .*/\1\2\3/p' ChangeLog | head -n 1)
test -n "$released"
sed "s/^Version: /&$released-/" libedit.pc > "$here/out/lib/pkgconfig/libedit.pc"
cp COPYING "$here/out/licenses/LICENSE.libedit.txt"
