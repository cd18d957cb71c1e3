"""Which distribution has which glibc, and what else a machine has: tables of facts.

GLIBC_HOSTS: each family's releases from the oldest to the newest, with the version of glibc that
a release began with (none has changed it within a release). SOURCES says where each family's
figures come from. Families that rebuild another's packages are told by the same row.
"""

from __future__ import annotations

# (family, release, glibc)
GLIBC_HOSTS = (
    ("Debian", "7", "2.13"),
    ("Debian", "8", "2.19"),
    ("Debian", "9", "2.24"),
    ("Debian", "10", "2.28"),
    ("Debian", "11", "2.31"),
    ("Debian", "12", "2.36"),
    ("Debian", "13", "2.41"),
    ("Ubuntu", "14.04", "2.19"),
    ("Ubuntu", "16.04", "2.23"),
    ("Ubuntu", "18.04", "2.27"),
    ("Ubuntu", "20.04", "2.31"),
    ("Ubuntu", "22.04", "2.35"),
    ("Ubuntu", "24.04", "2.39"),
    ("Ubuntu", "25.04", "2.41"),
    ("Ubuntu", "25.10", "2.42"),
    ("RHEL, CentOS, Alma, Rocky, Oracle", "6", "2.12"),
    ("RHEL, CentOS, Alma, Rocky, Oracle", "7", "2.17"),
    ("RHEL, CentOS, Alma, Rocky, Oracle", "8", "2.28"),
    ("RHEL, CentOS, Alma, Rocky, Oracle", "9", "2.34"),
    ("RHEL, CentOS, Alma, Rocky, Oracle", "10", "2.39"),
    ("Fedora", "36", "2.35"),
    ("Fedora", "37", "2.36"),
    ("Fedora", "38", "2.37"),
    ("Fedora", "39", "2.38"),
    ("Fedora", "40", "2.39"),
    ("Fedora", "41", "2.40"),
    ("Fedora", "42", "2.41"),
    ("Fedora", "43", "2.42"),
    ("SUSE Linux Enterprise", "12", "2.19"),
    ("SUSE Linux Enterprise", "12 SP2", "2.22"),
    ("SUSE Linux Enterprise", "15", "2.26"),
    ("SUSE Linux Enterprise", "15 SP3", "2.31"),
    ("SUSE Linux Enterprise", "15 SP6", "2.38"),
    ("SUSE Linux Enterprise", "16.0", "2.40"),
    ("openSUSE Leap", "15.0", "2.26"),
    ("openSUSE Leap", "15.3", "2.31"),
    ("openSUSE Leap", "15.6", "2.38"),
    ("openSUSE Leap", "16.0", "2.40"),
    ("Amazon Linux", "1 (2018.03)", "2.17"),
    ("Amazon Linux", "2", "2.26"),
    ("Amazon Linux", "2023", "2.34"),
)

# Where a family's figures can be looked up.
SOURCES = {
    "Debian": "Debian's package tracker, source package glibc (eglibc in 7), by suite",
    "Ubuntu": "Launchpad, source package glibc (eglibc in 14.04), by series",
    "RHEL, CentOS, Alma, Rocky, Oracle": (
        "release notes of Red Hat Enterprise Linux; for 7 to 9 also PEP 599 and PEP 600, whose "
        "policies manylinux2014, manylinux_2_28 and manylinux_2_34 are of these releases"
    ),
    "Fedora": "the change proposal `GNU C Library version` of each release",
    "SUSE Linux Enterprise": "release notes and changelog of the package glibc by service pack",
    "openSUSE Leap": "the package glibc of SUSE Linux Enterprise that a Leap release is made of",
    "Amazon Linux": "release notes of Amazon Linux, package lists",
    "Arch Linux": "glibc's dates of release; Arch follows within about two months",
}

# Month in which a version of glibc was released: https://sourceware.org/glibc/wiki/Glibc%20Timeline
# A rolling distribution that was upgraded two months later has it.
GLIBC_RELEASED = {
    "2.12": "2010-05",
    "2.13": "2011-01",
    "2.14": "2011-05",
    "2.15": "2012-03",
    "2.16": "2012-06",
    "2.17": "2012-12",
    "2.18": "2013-08",
    "2.19": "2014-02",
    "2.20": "2014-09",
    "2.21": "2015-02",
    "2.22": "2015-08",
    "2.23": "2016-02",
    "2.24": "2016-08",
    "2.25": "2017-02",
    "2.26": "2017-08",
    "2.27": "2018-02",
    "2.28": "2018-08",
    "2.29": "2019-01",
    "2.30": "2019-08",
    "2.31": "2020-02",
    "2.32": "2020-08",
    "2.33": "2021-02",
    "2.34": "2021-08",
    "2.35": "2022-02",
    "2.36": "2022-08",
    "2.37": "2023-02",
    "2.38": "2023-07",
    "2.39": "2024-01",
    "2.40": "2024-07",
    "2.41": "2025-01",
    "2.42": "2025-07",
}

# Versions that are no numbers: (glibc that has it, what it means, where that is written).
SPECIAL_VERSIONS = {
    "GLIBC_ABI_DT_RELR": (
        "2.36",
        "relative relocations are packed (DT_RELR)",
        "glibc 2.36, NEWS",
    ),
    "GLIBC_ABI_GNU2_TLS": (
        "2.42",
        "thread-local variables are found by descriptors that keep vector registers",
        "glibc, bug 33129",
    ),
    "GLIBC_ABI_GNU_TLS": (
        "2.43",
        "calls of ___tls_get_addr keep vector registers (i386)",
        "glibc, bug 33221; also in later builds of 2.42",
    ),
    "GLIBC_ABI_DT_X86_64_PLT": (
        "2.43",
        "calls between libraries are found by DT_X86_64_PLT",
        "glibc, bug 33212; also in later builds of 2.42",
    ),
}

# The libraries of glibc itself: on every machine that has glibc.
GLIBC_LIBRARIES = frozenset(
    (
        *("libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1"),
        *("libutil.so.1", "libresolv.so.2", "libanl.so.1", "libBrokenLocale.so.1"),
        *("libmvec.so.1", "libthread_db.so.1", "libnss_files.so.2", "libnss_dns.so.2"),
        *("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "ld-linux.so.2", "ld-linux-armhf.so.3"),
        *("ld64.so.1", "ld64.so.2", "ld-linux-riscv64-lp64d.so.1"),
    )
)

# Linux Standard Base 5.0, Core, Table 3-1 of its generic part and of its parts for machines
# (refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/requirements.html).
LSB_CORE = frozenset(
    (
        *("libc.so.6", "libcrypt.so.1", "libdl.so.2", "libgcc_s.so.1", "libm.so.6"),
        *("libncurses.so.5", "libncursesw.so.5", "libnspr4.so", "libnss3.so", "libpam.so.0"),
        *("libpthread.so.0", "librt.so.1", "libssl3.so", "libstdc++.so.6", "libutil.so.1"),
        *("libz.so.1", "ld-lsb-x86-64.so.3", "ld-lsb.so.3"),
    )
)

# Dynamic linkers by the C library that they are of.
LOADERS = (
    ("ld-linux", "glibc"),
    ("ld64.so", "glibc"),
    ("ld-lsb", "glibc"),
    ("ld.so.1", "glibc"),
    ("ld-musl-", "musl"),
    ("ld-uClibc", "uClibc"),
    ("linker64", "Android's bionic"),
    ("linker", "Android's bionic"),
    ("ld-elf.so", "FreeBSD's libc"),
    ("ld.elf_so", "NetBSD's libc"),
)
