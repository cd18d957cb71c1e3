"""C libraries that open files of the image by their paths. Run by the packaged binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import bz2
import ctypes
import gzip
import importlib
import locale
import lzma
import os
import pathlib
import shutil
import sqlite3
import ssl
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import xml.etree.ElementTree
import xml.parsers.expat
import xml.sax
import zipfile
import zipimport

DATA = "/.oxidized/app/data"
DATABASE = f"{DATA}/notes.db"
LINES = pathlib.Path(DATA, "lines.txt")


class Certificates(unittest.TestCase):
    def contexts(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(f"{DATA}/certificate.pem", f"{DATA}/key.pem")
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.load_verify_locations(f"{DATA}/certificate.pem")
        return server, client

    def test_handshake(self) -> None:
        server_context, client_context = self.contexts()
        one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = server_context.wrap_bio(one, other, server_side=True)
        client = client_context.wrap_bio(other, one, server_hostname="localhost")
        waiting = [client, server]
        for turn in range(20):
            side = waiting[turn % 2]
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        self.assertEqual(client.getpeercert()["subject"], ((("commonName", "localhost"),),))

    def test_missing_and_wrong(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with self.assertRaises(FileNotFoundError):
            context.load_verify_locations(f"{DATA}/missing.pem")
        with self.assertRaises(ssl.SSLError):
            context.load_verify_locations(f"{DATA}/lines.txt")
        with self.assertRaises(FileNotFoundError):
            context.load_cert_chain(f"{DATA}/certificate.pem", f"{DATA}/missing.pem")

    def test_folder_of_certificates(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(capath=DATA)  # looked at when a certificate is wanted


class Databases(unittest.TestCase):
    def rows(self, name: str, **options: bool) -> list[str]:
        connection = sqlite3.connect(name, **options)
        try:
            return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY id")]
        finally:
            connection.close()

    def test_reading(self) -> None:
        expected = ["one", "two", "three"]
        self.assertEqual(self.rows(DATABASE), expected)
        for options in ("mode=ro", "mode=ro&immutable=1", "immutable=1", "mode=rw"):
            self.assertEqual(self.rows(f"file:{DATABASE}?{options}", uri=True), expected, options)

    def test_writing(self) -> None:
        for name in (DATABASE, f"file:{DATABASE}?mode=ro"):
            connection = sqlite3.connect(name, uri=True)
            with self.assertRaisesRegex(sqlite3.OperationalError, "readonly database"):
                connection.execute("INSERT INTO notes (text) VALUES ('four')")
            connection.close()
        with self.assertRaisesRegex(sqlite3.OperationalError, "unable to open"):
            sqlite3.connect(f"{DATA}/new.db").execute("CREATE TABLE t (x)")

    def test_attach_and_backup(self) -> None:
        memory = sqlite3.connect(":memory:")
        memory.execute("ATTACH ? AS inside", (DATABASE,))
        self.assertEqual(memory.execute("SELECT count(*) FROM inside.notes").fetchone(), (3,))
        source = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)
        with tempfile.TemporaryDirectory() as folder, sqlite3.connect(f"{folder}/copy.db") as copy:
            source.backup(copy)
            copy.execute("INSERT INTO notes (text) VALUES ('four')")
            self.assertEqual(copy.execute("SELECT count(*) FROM notes").fetchone(), (4,))
        for connection in (copy, source, memory):
            connection.close()


class Parsers(unittest.TestCase):
    def test_xml(self) -> None:
        path = f"{DATA}/tree.xml"
        self.assertEqual(len(xml.etree.ElementTree.parse(path).findall("leaf")), 2)
        names: list[str] = []
        parser = xml.parsers.expat.ParserCreate()
        parser.StartElementHandler = lambda name, attributes: names.append(name)
        with open(path, "rb") as stream:
            parser.ParseFile(stream)
        self.assertEqual(names, ["tree", "leaf", "leaf"])
        xml.sax.parse(path, xml.sax.ContentHandler())

    def test_compressed(self) -> None:
        expected = LINES.read_bytes()
        for module, suffix in ((gzip, "gz"), (bz2, "bz2"), (lzma, "xz")):
            with module.open(f"{LINES}.{suffix}") as stream:
                self.assertEqual(stream.read(), expected, suffix)

    def test_archives(self) -> None:
        path = f"{DATA}/modules.zip"
        self.assertTrue(zipfile.is_zipfile(path))
        with zipfile.ZipFile(path) as archive:
            self.assertIsNone(archive.testzip())
            self.assertEqual(archive.read("zipped_package/data.txt"), b"data\n")
        with tempfile.TemporaryDirectory() as folder:
            packed = shutil.make_archive(f"{folder}/all", "gztar", DATA)
            with tarfile.open(packed) as tar:
                tar.extractall(f"{folder}/out", filter="data")
            self.assertEqual(sorted(os.listdir(f"{folder}/out")), sorted(os.listdir(DATA)))

    def test_import_from_a_zip(self) -> None:
        path = f"{DATA}/modules.zip"
        sys.path.append(path)
        try:
            package = importlib.import_module("zipped_package")
            self.assertEqual(package.VALUE, "from the zip")
            self.assertIsInstance(package.__loader__, zipimport.zipimporter)
            self.assertEqual(package.__loader__.get_data("zipped_package/data.txt"), b"data\n")
        finally:
            sys.path.remove(path)
            for name in ("zipped_package", "zipped_package.inner"):
                sys.modules.pop(name, None)
        done = subprocess.run([sys.executable, path], capture_output=True, text=True)
        self.assertIn("__main__", done.stderr)


class Libc(unittest.TestCase):
    def test_time_zone_and_locale_are_untouched(self) -> None:
        """libc's own look-ups go to the machine: a path of the image is not there for them."""
        before = os.environ.get("TZ")
        os.environ["TZ"] = f":{DATA}/lines.txt"
        try:
            time.tzset()
            self.assertEqual(time.timezone, 0)
        finally:
            os.environ.pop("TZ")
            if before is not None:
                os.environ["TZ"] = before
            time.tzset()
        locale.setlocale(locale.LC_ALL, "C")

    def test_a_file_that_is_no_library(self) -> None:
        with self.assertRaises(OSError):
            ctypes.CDLL(str(LINES))


if __name__ == "__main__":
    unittest.main()
