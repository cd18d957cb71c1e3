"""Which extension of x86-64 an instruction belongs to: tables of facts, by capstone's mnemonics.

Levels are those of the x86-64 psABI, "Micro-Architecture Levels"; which extension brings an
instruction is from Intel's Software Developer's Manual, volume 2. Extensions that are in no level
(AES, SHA, ...) stand in LEVELS with None.
"""

from __future__ import annotations

import re

LEVELS = {
    "SSE3": 2,
    "SSSE3": 2,
    "SSE4.1": 2,
    "SSE4.2": 2,
    "POPCNT": 2,
    "CMPXCHG16B": 2,
    "AVX": 3,
    "AVX2": 3,
    "BMI1": 3,
    "BMI2": 3,
    "F16C": 3,
    "FMA": 3,
    "LZCNT": 3,
    "MOVBE": 3,
    "AVX512": 4,
    "AVX512 beyond v4": None,
    "AVX-VNNI": None,
    "AES": None,
    "PCLMULQDQ": None,
    "VAES": None,
    "VPCLMULQDQ": None,
    "GFNI": None,
    "SHA": None,
    "ADX": None,
    "RDRAND": None,
    "RDSEED": None,
    "TSX": None,
    "AMD only (FMA4, XOP, TBM, SSE4a, 3DNow!)": None,
}
# GNU_PROPERTY_X86_ISA_1_*, x86-64 psABI.
ISA_1_BITS = {1: 1, 2: 2, 4: 3, 8: 4}

_EXACT: dict[str, str] = {}
for _extension, _names in {
    "SSE3": "addsubpd addsubps haddpd haddps hsubpd hsubps lddqu movddup movshdup movsldup",
    "SSSE3": (
        "pabsb pabsw pabsd palignr phaddw phaddd phaddsw phsubw phsubd phsubsw pmaddubsw pmulhrsw "
        "pshufb psignb psignw psignd"
    ),
    "SSE4.1": (
        "blendpd blendps blendvpd blendvps dppd dpps extractps insertps movntdqa mpsadbw packusdw "
        "pblendvb pblendw pcmpeqq pextrb pextrd pextrq phminposuw pinsrb pinsrd pinsrq pmaxsb "
        "pmaxsd pmaxud pmaxuw pminsb pminsd pminud pminuw pmovsxbw pmovsxbd pmovsxbq pmovsxwd "
        "pmovsxwq pmovsxdq pmovzxbw pmovzxbd pmovzxbq pmovzxwd pmovzxwq pmovzxdq pmuldq pmulld "
        "ptest roundpd roundps roundsd roundss"
    ),
    "SSE4.2": "crc32 pcmpestri pcmpestrm pcmpistri pcmpistrm pcmpgtq",
    "POPCNT": "popcnt",
    "CMPXCHG16B": "cmpxchg16b",
    "LZCNT": "lzcnt",
    "MOVBE": "movbe",
    # `tzcnt` is not among them: without BMI1 it runs as `bsf`, and compilers write it for that.
    "BMI1": "andn bextr blsi blsmsk blsr",
    "BMI2": "bzhi mulx pdep pext rorx sarx shlx shrx",
    "AES": "aesdec aesdeclast aesenc aesenclast aesimc aeskeygenassist",
    "PCLMULQDQ": "pclmulqdq pclmullqlqdq pclmulhqlqdq pclmullqhqdq pclmulhqhqdq",
    "GFNI": "gf2p8affineinvqb gf2p8affineqb gf2p8mulb",
    "SHA": "sha1msg1 sha1msg2 sha1nexte sha1rnds4 sha256msg1 sha256msg2 sha256rnds2",
    "ADX": "adcx adox",
    "RDRAND": "rdrand",
    "RDSEED": "rdseed",
    "TSX": "xbegin xend xabort xtest",
    "AMD only (FMA4, XOP, TBM, SSE4a, 3DNow!)": (
        "extrq insertq movntsd movntss femms blcfill blci blcic blcmsk blcs blsfill blsic t1mskc "
        "tzmsk pfadd pfsub pfmul pfmax pfmin"
    ),
}.items():
    for _name in _names.split():
        _EXACT[_name] = _extension

# Instructions in the VEX encoding that are not AVX itself.
_VEX_RULES = tuple(
    (re.compile(pattern), extension)
    for pattern, extension in (
        (r"vf(n?m(add|sub)|maddsub|msubadd)\d{3}[ps][sd]", "FMA"),
        (
            r"vf(n?m(add|sub)|maddsub|msubadd)[ps][sd]|vp(cmov|com|rot|sha|shl|mac|mad|perm)\w*|vfrcz\w+",
            "AMD only (FMA4, XOP, TBM, SSE4a, 3DNow!)",
        ),
        (r"vcvtph2ps|vcvtps2ph", "F16C"),
        (r"vpdp\w+", "AVX-VNNI"),
        (r"vgf2p8\w+", "GFNI"),
        (
            r"vbroadcasti128|vperm2i128|v(insert|extract)i128|vpermd|vpermps|vpermpd|vpermq|"
            r"vp?gather\w+|vp(sllv|srlv|srav)[dq]|vpmaskmov[dq]|vpblendd|vpbroadcast[bwdq]",
            "AVX2",
        ),
    )
)
_EVEX_BEYOND = re.compile(
    r"vpermb|vperm[it]2b|vpmultishiftqb|vpmadd52\w+|vpdp\w+|vpopcnt[bwdq]|vpshufbitqmb|"
    r"vp(compress|expand)[bw]|vpsh[lr]d\w*|vcvtne\w+|vdpbf16ps|vp2intersect\w+|\w+ph|\w+sh|"
    r"vexp2\w+|vrcp28\w+|vrsqrt28\w+|v(gather|scatter)pf\w+|v4f\w+|vp4dp\w+"
)
# Words that begin with a `v` and are no vector instructions.
_NO_VECTOR = re.compile(r"verr|verw|vm\w+")


def extension_of(mnemonic: str, code: bytes, operands: str) -> str | None:
    """The extension that a decoded instruction needs; None for the baseline and what is not
    known. `code` are its bytes, `operands` as capstone writes them."""
    found = _EXACT.get(mnemonic)
    if found is not None:
        return found
    if mnemonic[:1] == "k" and code[:1] in (b"\xc4", b"\xc5"):
        return "AVX512"
    if mnemonic[:1] != "v" or (_NO_VECTOR.fullmatch(mnemonic) and code[:1] not in b"\xc4\xc5\x62"):
        return None
    wide = "ymm" in operands or "zmm" in operands
    if mnemonic.startswith("vaes"):
        return "VAES" if wide or code[:1] == b"\x62" else "AES"
    if mnemonic.startswith("vpclmul"):
        return "VPCLMULQDQ" if wide or code[:1] == b"\x62" else "PCLMULQDQ"
    if code[:1] == b"\x62":
        if mnemonic.startswith("vgf2p8"):
            return "GFNI"
        return "AVX512 beyond v4" if _EVEX_BEYOND.fullmatch(mnemonic) else "AVX512"
    for pattern, extension in _VEX_RULES:
        if pattern.fullmatch(mnemonic):
            return extension
    if mnemonic in ("vbroadcastss", "vbroadcastsd") and "[" not in operands:
        return "AVX2"  # AVX itself spreads numbers from memory alone
    if mnemonic.startswith(("vp", "vmovntdqa", "vmpsadbw")) and "ymm" in operands:
        # AVX itself has no integer arithmetic on 256 bits, but for these.
        floating = ("vpermil", "vptest")
        return "AVX" if mnemonic.startswith(floating) else "AVX2"
    return "AVX"
