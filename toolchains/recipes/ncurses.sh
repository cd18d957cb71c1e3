# ncurses with wide characters. See toolchains/README.md for what a recipe is given and gives.
# Needs: make tic infocmp
here=$PWD
export CFLAGS="$CFLAGS -fvisibility=hidden"
fallbacks=ansi,dumb,linux,rxvt,rxvt-unicode-256color,screen,screen-256color,tmux,tmux-256color,vt100,vt220,xterm,xterm-256color

cd source
# The terminals of `fallbacks` are compiled in (by the build machine's `tic`, from the source's own
# descriptions), so that a program works on a root without a terminal database.
# configure would choose `ar -U`, which writes the time and the user into the archive.
cf_cv_ar_flags=-crD ./configure --build="$BUILD_GNU_TRIPLE" --host="$GNU_TRIPLE" --prefix=/install \
  --with-build-cc="$HOST_CC" --with-build-cflags="-O1" --without-shared --with-normal \
  --without-debug --without-ada --without-cxx --without-cxx-binding --without-manpages \
  --without-progs --without-tests --enable-widec --disable-stripping --disable-db-install \
  --with-default-terminfo-dir=/usr/share/terminfo \
  --with-terminfo-dirs=/etc/terminfo:/lib/terminfo:/usr/share/terminfo:/usr/lib/terminfo:/usr/local/share/terminfo \
  --with-fallbacks="$fallbacks" --with-tic-path="$(command -v tic)" \
  --with-infocmp-path="$(command -v infocmp)"
make -j"$JOBS" libs
make install.libs install.includes DESTDIR="$here/staging"

mkdir -p "$here/out/lib" "$here/out/licenses"
cp -R "$here/staging/install/include" "$here/out/"
cp "$here/staging/install/lib/libncursesw.a" "$here/staging/install/lib/libpanelw.a" "$here/out/lib/"
cp COPYING "$here/out/licenses/LICENSE.ncurses.txt"
