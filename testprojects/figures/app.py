"""Uses seven packages with native code a little, as a small program does, and ends."""

import cryptography.fernet
import lxml.etree
import numpy
import orjson
import pandas
import psutil
import pydantic_core

key = cryptography.fernet.Fernet.generate_key()
frame = pandas.DataFrame({"n": numpy.arange(1000), "key": ["a", "b"] * 500})
result = {
    "fernet": len(cryptography.fernet.Fernet(key).encrypt(b"text")),
    "lxml": lxml.etree.XML("<a><b/><b/></a>").xpath("count(b)"),
    "numpy": float(numpy.linalg.norm(numpy.eye(10))),
    "pandas": frame.groupby("key")["n"].sum().to_dict(),
    "psutil": psutil.Process().memory_info().rss > 0,
    "pydantic_core": pydantic_core.from_json(b"[1, 2]"),
}
print(orjson.dumps(result).decode())
