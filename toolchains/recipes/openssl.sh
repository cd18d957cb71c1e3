# OpenSSL 3, without the parts that Python's ssl and hashlib cannot reach.
# See toolchains/README.md for what a recipe is given and gives.
# Needs: make perl
here=$PWD
case $TARGET_TRIPLE in
  x86_64-*) platform=linux-x86_64 ;;
  aarch64-*) platform=linux-aarch64 ;;
  *) echo "openssl.sh: no OpenSSL platform is known for $TARGET_TRIPLE." >&2; exit 1 ;;
esac

cd source
# First line: no programs and no loading of code at run time. Second: only the legacy provider has
# these ciphers and digests. Third: protocols and formats that Python has no functions for.
env -u CFLAGS CC="$CC" AR="$AR" RANLIB="$RANLIB" perl ./Configure "$platform" \
  no-shared no-module no-dso no-engine no-legacy no-apps no-tests no-docs no-makedepend no-async \
  no-bf no-cast no-idea no-md4 no-mdc2 no-rc2 no-rc4 no-seed no-whirlpool \
  no-cmp no-cms no-comp no-ct no-dtls no-gost no-quic no-rfc3779 no-srp no-srtp no-ts no-ssl3 \
  threads --prefix=/install --libdir=lib --openssldir=/etc/ssl $CFLAGS -fvisibility=hidden
make -j"$JOBS" build_libs
make install_dev DESTDIR="$here/staging"

mkdir -p "$here/out/lib" "$here/out/licenses"
cp -R "$here/staging/install/include" "$here/out/"
cp "$here/staging/install/lib/libcrypto.a" "$here/staging/install/lib/libssl.a" "$here/out/lib/"
cp LICENSE.txt "$here/out/licenses/LICENSE.openssl-3.txt"
