"""Every refusal of the unpacker with its message, and that a refused archive leaves nothing."""

from __future__ import annotations

import hashlib
import io
import os
import random
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List

import pytest
import zstandard

from oxidize_rules.sandbox.distribution import testing_archives as archives
from oxidize_rules.sandbox.distribution import unpack
from oxidize_rules.sandbox.distribution.testing_archives import Entry, compress, link, tar
from oxidize_rules.sandbox.errors import UserError

METADATA: Entry = ("python/PYTHON.json", b"{}")


@dataclass(frozen=True)
class Unpack:
    """Unpacks bytes to `box/out`."""

    folder: Path

    def __call__(self, data: bytes, *args: str) -> Path:
        archive = self.folder / "archive.tar.zst"
        archive.write_bytes(data)
        unpack.main([str(archive), str(self.folder / "box/out"), *args])
        return self.folder / "box/out"

    def appeared(self) -> List[str]:
        """What is there: nothing else may appear in `box`, or beside it."""
        assert sorted(os.listdir(self.folder)) == ["archive.tar.zst", "box"]
        return os.listdir(self.folder / "box")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Unpack]:
    (tmp_path / "box").mkdir()
    run = Unpack(tmp_path)
    yield run
    assert run.appeared() in ([], ["out"])


def refuse(run: Unpack, data: bytes, message: str, *args: str) -> None:
    with pytest.raises(UserError, match=message):
        run(data, *args)
    assert run.appeared() == []


def members(*entries: Entry) -> bytes:
    return compress(tar([METADATA, *entries]))


def test_a_whole_archive(run: Unpack) -> None:
    data = archives.archive()
    digest = hashlib.sha256(data).hexdigest()
    out = run(data, f"--sha256={digest}", f"--size={len(data)}")
    names = archives.named_files(archives.python_json())
    expected = sorted(["PYTHON.json", *names, "install/bin/python3"])
    assert (out / "members.txt").read_text().splitlines() == expected
    assert (out / "build/Objects/abstract.o").read_text() == "/* build/Objects/abstract.o */\n"
    assert os.readlink(out / "install/bin/python3") == "python3.13"
    assert (out / "install/bin/python3.13").stat().st_mode & 0o777 == 0o755
    assert (out / "licenses/LICENSE.cpython.txt").stat().st_mode & 0o777 == 0o644


def test_hard_links_folders_and_dots(run: Unpack) -> None:
    folder = tarfile.TarInfo("python/empty/")
    folder.type = tarfile.DIRTYPE
    out = run(
        members(
            ("python/./a//one", b"1"),
            (folder, b""),
            (folder, b""),
            link("python/two", "python/a/one", tarfile.LNKTYPE),
        )
    )
    assert (out / "two").read_bytes() == b"1"
    assert (out / "empty").is_dir()
    assert (out / "members.txt").read_text() == "PYTHON.json\na/one\ntwo\n"


# -----------------------------------------------------------------------------------------------
# The file as a whole
# -----------------------------------------------------------------------------------------------


def test_wrong_size(run: Unpack) -> None:
    data = archives.archive()
    message = f"wrong size: found {len(data)} bytes, expected 12"
    refuse(run, data, message, "--size=12")


def test_wrong_hash(run: Unpack) -> None:
    data = archives.archive()
    message = f"wrong hash: found sha256 {hashlib.sha256(data).hexdigest()}, expected {'0' * 64}"
    refuse(run, data, message, f"--sha256={'0' * 64}")


def test_no_file(run: Unpack, tmp_path: Path) -> None:
    run(members())
    with pytest.raises(UserError, match=r"cannot unpack .*No such file"):
        unpack.main([str(tmp_path / "missing.tar.zst"), str(tmp_path / "box/other")])


def test_the_output_is_there_already(run: Unpack) -> None:
    run(members(("python/a", b"first")))
    with pytest.raises(UserError, match="cannot unpack"):
        run(members(("python/a", b"second")))


# -----------------------------------------------------------------------------------------------
# zstd
# -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08 a gzip archive", b"PK\x03\x04", b"plain text"])
def test_not_zstd(run: Unpack, content: bytes) -> None:
    refuse(run, content * 50, r"not intact zstd data \(.*\); expected a `.tar.zst`.*\*full\*")


def test_an_empty_file(run: Unpack) -> None:
    refuse(run, b"", "not an intact tar")


def test_zstd_truncated_anywhere(run: Unpack) -> None:
    noise = random.Random(1).randbytes(300_000)
    data = compress(tar([METADATA, ("python/noise", noise)]), write_checksum=True)
    lengths = [1, 3, 4, 5, 6, 9, 100, 1000, len(data) // 2, *range(len(data) - 5, len(data))]
    for length in lengths:
        refuse(run, data[:length], "is truncated: .*Download it again")
    run(data)


def test_several_frames(run: Unpack) -> None:
    plain = tar([METADATA, ("python/file", b"x" * 5000)])
    parts = [plain[:10], plain[10:3000], b"", plain[3000:]]
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"
    out = run(b"".join(map(compress, parts)) + skippable)
    assert (out / "file").read_bytes() == b"x" * 5000


def test_a_truncated_second_frame(run: Unpack) -> None:
    plain = tar([METADATA, ("python/file", b"x" * 5000)])
    refuse(run, compress(plain[:2048]) + compress(plain[2048:])[:-4], "is truncated")


def test_garbage_behind_the_last_frame(run: Unpack) -> None:
    refuse(run, archives.archive() + b"garbage, and more", "not intact zstd data")


def test_a_large_window(run: Unpack) -> None:
    # As python-build-standalone compresses: level 22 has a window of 2^27 bytes.
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    plain = tar([METADATA, ("python/file", b"window" * 50_000)])
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = compressor.compress(plain) + compressor.flush()
    assert zstandard.get_frame_parameters(data).window_size == 1 << 27
    assert (run(data) / "file").stat().st_size == 300_000


def test_a_window_that_is_too_large(run: Unpack) -> None:
    header = b"\x28\xb5\x2f\xfd\x00" + bytes([(31 - 10) << 3])  # window log 31, no content size
    refuse(run, header + b"\x01\x00\x00", "not intact zstd data .*memory")


def test_more_than_the_bound(run: Unpack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_TOTAL", 100_000)
    data = compress(tar([METADATA, ("python/a", b"\0" * 50_000), ("python/b", b"\0" * 60_000)]))
    refuse(run, data, "unpacks to more than 100000 bytes")
    run(compress(tar([METADATA, ("python/a", b"\0" * 50_000)])))


def test_a_bomb_is_noticed_before_it_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_TOTAL", 1 << 20)
    block = (128 * 1024 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"  # 128 KiB of zeros
    bomb = b"\x28\xb5\x2f\xfd\x00\x58" + block * 50_000  # 6.5 GB
    reader = unpack.ZstdReader(io.BytesIO(bomb))
    with pytest.raises(UserError, match="unpacks to more than"):
        reader.drain()
    assert reader.total <= 129 << 20


# -----------------------------------------------------------------------------------------------
# tar
# -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"no tar at all", b"\1" * 4096, b"x" * 511])
def test_not_a_tar(run: Unpack, content: bytes) -> None:
    refuse(run, compress(content), "content is not an intact tar.*broken after 0 members")


def test_a_tar_truncated_anywhere(run: Unpack) -> None:
    plain = tar([METADATA, ("python/one", b"1" * 1000), ("python/two", b"2" * 1000)])
    end = len(plain.rstrip(b"\0")) // 512 * 512 + 512  # of the last member, where zeros begin
    for length in (512, 700, 1024, 1100, 1536, 2047, 2560, 3072, end):
        refuse(run, compress(plain[:length]), "not an intact tar|is truncated")
    run(compress(plain[: end + 512]))


def test_a_broken_header_is_not_the_end(run: Unpack) -> None:
    plain = bytearray(tar([METADATA, ("python/one", b"1"), ("python/two", b"2")]))
    position = plain.index(b"python/two")
    plain[position] ^= 1
    refuse(run, compress(bytes(plain)), "not an intact tar: after 2 members there is no end mark")


def test_many_extended_headers(run: Unpack) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type = tarfile.GNUTYPE_LONGNAME
    header.size = 1
    refuse(run, compress((header.tobuf() + b"a" + b"\0" * 511) * 3000), "not an intact tar")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (("/etc/passwd", b""), "`/etc/passwd` has an absolute name"),
        (("python/../../escape", b""), r"`python/../../escape` leads out of the archive"),
        (("../python/escape", b""), "leads out of the archive"),
        (("python/install/../../a", b""), "leads out of the archive"),
        (("cpython/PYTHON.json", b""), r"not below `python/`.*\*full\*.*install_only"),
        (("python", b"a file"), "`python` should be a folder"),
        (("python/members.txt", b""), "no name for one"),
        (("python/a\nb", b""), r"'python/a\\nb' has a name with characters that are not text"),
        (("python/a\udcff", b""), "not text"),
        (("python/PYTHON.json", b"again"), "has the member `PYTHON.json` twice"),
        (("python/PYTHON.json/below", b""), "through the file `PYTHON.json`"),
        (("python/" + "n" * 300, b""), "cannot unpack .*name too long"),
        (link("python/a", "/etc"), "`a` is a link to `/etc`, out of the archive"),
        (link("python/a", ".."), r"`a` is a link to `\.\.`, out of the archive"),
        (link("python/d/a", "../../x"), r"`d/a` is a link to `../../x`, out of the archive"),
        (link("python/a", "x/../../y"), "out of the archive"),
        (link("python/a", "x\ny"), "out of the archive"),
        (
            link("python/a", "python/missing", tarfile.LNKTYPE),
            "`a` is a hard link to `missing`, which is no file of the archive before it",
        ),
        (link("python/a", "/etc/passwd", tarfile.LNKTYPE), "absolute name"),
        (link("python/a", "python/../../x", tarfile.LNKTYPE), "leads out of the archive"),
        (link("python/null", "", tarfile.CHRTYPE), "`null` is a device, a FIFO"),
        (link("python/disk", "", tarfile.BLKTYPE), "`disk` is a device, a FIFO"),
        (link("python/pipe", "", tarfile.FIFOTYPE), "`pipe` is a device, a FIFO"),
    ],
)
def test_refused_members(run: Unpack, entry: Entry, message: str) -> None:
    refuse(run, members(("python/before", b"1"), entry, ("python/behind", b"2")), message)


def test_through_a_link(run: Unpack, tmp_path: Path) -> None:
    data = members(link("python/a", "b"), ("python/a/inside", b"x"))
    refuse(run, data, "`a/inside` would be written through the link `a`")
    # A hard link to what lies behind a symbolic one.
    data = members(link("python/a", "."), link("python/b", "python/a/x", tarfile.LNKTYPE))
    refuse(run, data, "`b` is a hard link to `a/x`, which is no file")


def test_a_hard_link_to_a_symbolic_one(run: Unpack) -> None:
    data = members(link("python/a", "PYTHON.json"), link("python/b", "python/a", tarfile.LNKTYPE))
    refuse(run, data, "is a hard link to `a`, which is no file")


def test_two_links_that_lead_out_together(run: Unpack) -> None:
    data = members(
        ("python/d/e/file", b""), link("python/d/e/up", "../.."), link("python/out", "d/e/up/..")
    )
    refuse(run, data, "`out` is a link to `d/e/up/..`, out of the archive")


def test_links_that_stay(run: Unpack) -> None:
    out = run(
        members(
            ("python/d/file", b"1"),
            link("python/one", "d/../d/file"),
            link("python/dangling", "d/none"),
            link("python/loop", "loop"),
        )
    )
    assert (out / "one").read_bytes() == b"1"


def test_a_sparse_file(run: Unpack) -> None:
    info = tarfile.TarInfo("python/holes")
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.name": "python/holes",
        "GNU.sparse.size": str(1 << 40),
        "GNU.sparse.map": "0,0",
    }
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("python/PYTHON.json"))
        archive.addfile(info)
    refuse(run, compress(output.getvalue()), "a FIFO, sparse or of another special kind")


def header(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("python/x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "kind",
    [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK],
)
def test_a_large_extended_header(run: Unpack, kind: bytes) -> None:
    data = compress(header(kind, 1 << 40) + b"a" * 1_000_000)
    refuse(run, data, f"extended header of {1 << 40} bytes, more than the 65536")


def test_a_long_name(run: Unpack) -> None:
    name = "/".join(["python", *["long" * 20] * 6])
    assert (run(members((name, b"1"))) / name[len("python/") :]).read_bytes() == b"1"


def test_maps_of_holes_are_not_read(run: Unpack) -> None:
    """The tar module's own reading of these takes more than a minute, and gigabytes."""
    old = bytearray(header(tarfile.GNUTYPE_SPARSE, 0))
    old[386:482] = b"00000000001\0" * 8
    old[482] = 1  # more of the map follows
    more = (b"00000000001\0" * 42 + b"\1" + b"\0" * 7) * 200_000
    refuse(run, compress(with_checksums(bytes(old)) + more), "`python/x` is a device, .* sparse")
    info = tarfile.TarInfo("python/x")
    info.size = 100 << 20
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    new = info.tobuf(tarfile.PAX_FORMAT) + b"999999999999\n" + b"1\n" * (50 << 20)
    refuse(run, compress(new), "`python/x` is a device, .* sparse")


def test_too_many_members(run: Unpack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_MEMBERS", 20)
    message = "more than 20 members"
    refuse(run, members(*((f"python/{count}", b"") for count in range(20))), message)
    refuse(run, members((f"python/{'/'.join('abcdefghijklmnopqrstuvwxyz')}", b"")), message)
    folder = tarfile.TarInfo("python/again")
    folder.type = tarfile.DIRTYPE
    refuse(run, members(*((folder, b"") for _ in range(30))), message)
    run(members(*((f"python/{count}", b"") for count in range(10))))


def test_too_large_a_member(run: Unpack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_MEMBER", 1000)
    refuse(run, members(("python/big", b"x" * 1001)), "`big` has 1001 bytes, more than the 1000")
    run(members(("python/big", b"x" * 1000)))


def test_an_install_only_archive(run: Unpack) -> None:
    data = compress(tar([("python/bin/python3.13", b""), ("python/lib/python3.13/os.py", b"")]))
    refuse(run, data, r"has no `python/PYTHON.json`. Expected a \*full\* archive")


def test_the_metadata_as_a_link(run: Unpack) -> None:
    data = compress(tar([("python/a", b"{}"), link("python/PYTHON.json", "a")]))
    refuse(run, data, "has no `python/PYTHON.json`")


# -----------------------------------------------------------------------------------------------
# Mutations
# -----------------------------------------------------------------------------------------------

STRINGS = [
    b"../",
    b"/",
    b"python/",
    b"\0" * 8,
    b"\xff" * 4,
    b"1",
    b"2",
    b"5",
    b"L",
    b"x",
    b"S",
    b"g",
]


def mutate(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        position = chance.randrange(len(changed))
        kind = chance.randrange(4)
        if kind == 0:
            changed[position] = chance.randrange(256)
        elif kind == 1:
            text = chance.choice(STRINGS)
            changed[position : position + len(text)] = text
        elif kind == 2:
            del changed[position : position + chance.randrange(1, 600)]
        else:
            start = chance.randrange(len(changed))
            changed[position:position] = changed[start : start + chance.randrange(600)]
        if not changed:
            break
    return bytes(changed)


def with_checksums(data: bytes) -> bytes:
    """Headers of mutated members, with a checksum that holds: otherwise few would be read on."""
    blocks: List[bytes] = []
    for position in range(0, len(data), 512):
        block = data[position : position + 512]
        if len(block) == 512 and block[257:262] == b"ustar":
            blank = block[:148] + b" " * 8 + block[156:]
            block = block[:148] + b"%06o\0 " % sum(blank) + block[156:]
        blocks.append(block)
    return b"".join(blocks)


@pytest.mark.parametrize("seed", range(4))
def test_mutations_unpack_or_are_refused(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    long = tarfile.TarInfo("python/" + "long/" * 30 + "name")
    plain = tar(
        [
            METADATA,
            ("python/d/one", b"1" * 700),
            link("python/d/two", "one"),
            link("python/three", "python/d/one", tarfile.LNKTYPE),
            (long, b"text"),
        ]
    )
    box = tmp_path / "box"
    box.mkdir()
    file = tmp_path / "archive.tar.zst"
    unpacked = refused = 0
    for round_ in range(100):
        changed = mutate(plain, chance)
        data = compress(with_checksums(changed) if round_ % 2 else changed)
        file.write_bytes(mutate(data, chance) if round_ % 5 == 0 else data)
        try:
            unpack.main([str(file), str(box / "out")])
        except UserError:
            refused += 1
            assert os.listdir(box) == []
        else:
            unpacked += 1
            assert os.listdir(box) == ["out"]
            for folder, _, names in os.walk(box / "out"):
                for name in names:
                    path = os.path.join(folder, name)
                    assert os.path.realpath(path).startswith(f"{os.path.realpath(box)}/out/")
            os.rename(box / "out", tmp_path / f"kept-{round_}")
        assert sorted(one for one in os.listdir(tmp_path) if "kept" not in one) == [
            "archive.tar.zst",
            "box",
        ]
    assert refused > 30
    assert unpacked > 5
