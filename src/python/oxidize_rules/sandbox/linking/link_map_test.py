from __future__ import annotations

import pytest

from oxidize_rules.sandbox.linking.link_map import parse

# As lld 22 writes it, shortened.
MAP = b"""\
             VMA              LMA     Size Align Out     In      Symbol
             270              270    144d8     8 .dynsym
             270              270    144d8     8         <internal>:(.dynsym)
           2d000            2d000  19e7498  4096 .rodata
           2fbe0            2fbe0       90     4         lib/dynlink.o:(.rodata.do_relocs)
           2fc70            2fc70    8e9bd     1         <internal>:(.rodata.str1.1)
           c00b0            c00b0       2a    16         lib/libc.a(conf_fpathconf.c.o):(.rodata.x)
           c00b0            c00b0       2a     1                 fpathconf.values
           c00dc            c00dc       34     4         lib/libc.a(conf_fpathconf.c.o):(.rodata.y)
           d0000            d0000       10     1 .text
           d0000            d0000       10     1         my (own) folder/plus+.o:(.text._Z1fv)
           d0000            d0000       10     1                 a::(anonymous namespace)::f():(x)
           e0000            e0000      100     1 .bss
           e0000            e0000      100     1         lib/only_bss.o:(.bss.state)
           f0000            f0000       10     1 .bss.rel.ro
           f0000            f0000       10     1         lib/dynlink.o:(.bss.rel.ro)
           f1000            f1000      abc     1 .bsson
           f1000            f1000        1     1         lib/dynlink.o:(.bsson)
               0                0       29     1 .comment
               0                0       29     1         lib/not_loaded.o:(.comment)
               0                0       bd     1         <internal>:(.shstrtab)
"""


def test_sizes_of_objects_and_members() -> None:
    found = parse(MAP)
    assert found.sizes == {
        ("lib/dynlink.o", ""): 0x91,
        ("lib/libc.a", "conf_fpathconf.c.o"): 0x2A + 0x34,
        ("my (own) folder/plus+.o", ""): 0x10,
        ("lib/only_bss.o", ""): 0,  # there, without content in the file
    }
    assert found.files["lib/libc.a"] == 0x5E


@pytest.mark.parametrize("text", [b"", b"hello", b"Memory map\n"])
def test_what_is_no_map_is_told(text: bytes) -> None:
    with pytest.raises(ValueError, match="no link map"):
        parse(text)


def test_bitcode_is_there_without_a_size() -> None:
    text = MAP.replace(b"my (own) folder/plus+.o", b"app.part.lto.main.o")
    found = parse(text)
    found.add_bitcode(
        "app.part.lto",
        ["build/main.o"],
        "reference\textracted\tsymbol\n"
        "build/main.o\tlib/libans.a(answer.o)\tPy_Answer\n"
        "build/main.o\tlib/libc.a(conf_fpathconf.c.o)\tfpathconf\n",
    )
    assert found.unsized == {"build/main.o", "lib/libans.a"}
    assert "app.part.lto.main.o" not in found.files
    assert (found.files["lib/libans.a"], found.files["lib/libc.a"]) == (0, 0x5E)
