"""Licence texts that archives of distributions, and wheels, ought to have, and some have not.

| file | taken from |
|---|---|
| cpython-incorporated-software.txt | CPython 3.13.5, the section of that name in Doc/license.rst |
| hacl-star.txt | CPython 3.13.5, the notice at the head of Modules/_hacl/Hacl_Hash_SHA2.c |
| blake2.txt | CPython 3.13.5, the notice at the head of Modules/_blake2/impl/blake2b.c |
| pysqlite.txt | CPython 3.13.5, the notice at the head of Modules/_sqlite/connection.c |
| audioop.txt | CPython 3.12, the section Audioop of Doc/license.rst |
| zstd.txt | LICENSE of Zstandard 1.5.7 |
| oxidize_rules.txt | LICENSE of this project, which its runtime stands under |
| GPL-3.0.txt, GCC-exception-3.1.txt | COPYING3 and COPYING.RUNTIME of gcc |
| Apache-2.0.txt, GPL-2.0.txt, LGPL-2.1.txt, LGPL-3.0.txt, MPL-2.0.txt | base-files of Debian 12 |
| LLVM-exception.txt | lib/libunwind/LICENSE.TXT of LLVM, in zig 0.17.0 |
"""
