"""pydantic and pydantic-core, orjson, msgpack, protobuf, zstandard."""

from __future__ import annotations

import datetime
import io
from typing import Annotated, Literal, Optional, Union

from checks.registry import check, equal, in_threads, native, raises, true


@check("pydantic")
def use_pydantic() -> None:
    import pydantic
    from pydantic import BaseModel, Field, TypeAdapter, ValidationError, computed_field

    class Cat(BaseModel):
        kind: Literal["cat"]
        lives: int = Field(default=9, ge=0, le=9)

    class Dog(BaseModel):
        kind: Literal["dog"]
        name: Annotated[str, Field(pattern=r"^[A-Z]\w+$", max_length=10)]

    class Home(BaseModel):
        pets: list[Annotated[Union[Cat, Dog], Field(discriminator="kind")]]
        since: datetime.datetime
        next: Optional[Home] = None

        @pydantic.field_validator("since")
        @classmethod
        def past(cls, value: datetime.datetime) -> datetime.datetime:
            if value.year > 2100:
                raise ValueError("in the future")
            return value

        @computed_field  # type: ignore[prop-decorator]
        @property
        def count(self) -> int:
            return len(self.pets)

    Home.model_rebuild(_types_namespace={**globals(), **locals()})
    text = (
        '{"pets": [{"kind": "cat"}, {"kind": "dog", "name": "Rex"}], "since": "2020-01-02T03:04Z",'
        ' "next": {"pets": [], "since": 0}}'
    )
    home = Home.model_validate_json(text)
    equal((home.count, home.pets[1].name, home.next.since.year), (2, "Rex", 1970))  # type: ignore[union-attr]
    equal(Home.model_validate_json(home.model_dump_json()), home)
    with raises(ValidationError, "3 validation errors"):
        Home.model_validate(
            {"pets": [{"kind": "fish"}, {"kind": "dog", "name": "x"}], "since": "2200-01-01"}
        )
    equal(Home.model_json_schema()["$defs"]["Cat"]["properties"]["lives"]["maximum"], 9)
    numbers = TypeAdapter(list[int])
    in_threads(lambda _: numbers.validate_json(str(list(range(20_000)))))


@check("pydantic-core")
def use_pydantic_core() -> None:
    from pydantic_core import (
        SchemaSerializer,
        SchemaValidator,
        Url,
        ValidationError,
        _pydantic_core,
        core_schema,
        from_json,
        to_json,
    )

    native(_pydantic_core)
    schema = core_schema.typed_dict_schema(
        {
            "n": core_schema.typed_dict_field(core_schema.int_schema(gt=1)),
            "when": core_schema.typed_dict_field(core_schema.timedelta_schema()),
            "url": core_schema.typed_dict_field(core_schema.url_schema()),
        }
    )
    validator = SchemaValidator(schema)
    value = validator.validate_json(
        '{"n": "2", "when": "P1DT2H", "url": "http://Ex\\u00e4mple.com"}'
    )
    equal(value["when"], datetime.timedelta(days=1, hours=2))
    equal(value["url"], Url("http://xn--exmple-cua.com/"))
    equal(SchemaSerializer(schema).to_python(value, mode="json")["when"], "P1DT2H")
    with raises(ValidationError, "greater than 1"):
        validator.validate_python({"n": 1, "when": 1, "url": "http://x"})
    equal(from_json(b'[1, 2, {"a": "b', allow_partial="trailing-strings"), [1, 2, {"a": "b"}])
    equal(to_json({"a": {1}, "b": datetime.date(2025, 1, 1)}), b'{"a":[1],"b":"2025-01-01"}')


@check("orjson")
def use_orjson() -> None:
    import dataclasses

    import numpy as np
    import orjson
    from orjson import orjson as extension

    native(extension)

    @dataclasses.dataclass
    class Point:
        x: int
        when: datetime.datetime

    point = Point(1, datetime.datetime(2025, 1, 2, tzinfo=datetime.timezone.utc))
    equal(orjson.dumps(point), b'{"x":1,"when":"2025-01-02T00:00:00+00:00"}')
    equal(orjson.dumps(np.eye(2), option=orjson.OPT_SERIALIZE_NUMPY), b"[[1.0,0.0],[0.0,1.0]]")
    value = {"b": [1.5, None, True, "Grüße\u2028"], "a": {"deep": [[[]]]}}
    equal(
        orjson.loads(orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)), value
    )
    with raises(orjson.JSONDecodeError, "line 1 column 2"):
        orjson.loads("[")
    with raises(TypeError, "not JSON serializable"):
        orjson.dumps(object())
    equal(orjson.dumps({1, 2}, default=sorted), b"[1,2]")
    large = [value] * 5_000
    in_threads(lambda _: orjson.loads(orjson.dumps(large)))


@check("msgpack")
def use_msgpack() -> None:
    import msgpack
    from msgpack import _cmsgpack

    native(_cmsgpack)
    value = {"list": [1, -2, 3.5, None, True, 2**63], "bytes": b"\0" * 70_000, "text": "Grüße"}
    equal(msgpack.unpackb(msgpack.packb(value)), value)
    moment = datetime.datetime(2025, 1, 2, 3, tzinfo=datetime.timezone.utc)
    equal(msgpack.unpackb(msgpack.packb(moment, datetime=True), timestamp=3), moment)
    packed = msgpack.packb(
        {1j}, default=lambda s: msgpack.ExtType(5, repr(sorted(map(str, s))).encode())
    )
    equal(msgpack.unpackb(packed, ext_hook=lambda code, data: (code, data)), (5, b"['1j']"))
    unpacker = msgpack.Unpacker()
    for byte in b"".join(msgpack.packb(n) for n in range(500)):
        unpacker.feed(bytes([byte]))
    equal(list(unpacker), list(range(500)))
    with raises(msgpack.exceptions.ExtraData):
        msgpack.unpackb(b"\x01\x02")
    with raises(ValueError, "incomplete input"):
        msgpack.unpackb(b"\x92\x01")
    with raises(ValueError, "exceeds max_bin_len"):
        msgpack.unpackb(msgpack.packb(b"long"), max_bin_len=2)
    in_threads(lambda _: msgpack.unpackb(msgpack.packb([value] * 100)))


@check("protobuf")
def use_protobuf() -> str:
    from google.protobuf import (
        descriptor_pb2,
        descriptor_pool,
        duration_pb2,
        json_format,
        message,
        message_factory,
        struct_pb2,
        timestamp_pb2,
    )
    from google.protobuf.internal import api_implementation

    file = descriptor_pb2.FileDescriptorProto(name="own.proto", package="own", syntax="proto3")
    node = file.message_type.add(name="Node")
    field = descriptor_pb2.FieldDescriptorProto
    node.field.add(name="name", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    node.field.add(name="values", number=2, type=field.TYPE_INT64, label=field.LABEL_REPEATED)
    node.field.add(
        name="children", number=3, type=field.TYPE_MESSAGE, type_name=".own.Node",
        label=field.LABEL_REPEATED,
    )  # fmt: skip
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    make = message_factory.GetMessageClass(pool.FindMessageTypeByName("own.Node"))
    tree = make(name="Grüße", values=range(-50, 50))
    tree.children.add(name="child").values.append(2**62)
    again = make.FromString(tree.SerializeToString())
    equal(again, tree)
    equal(again.children[0].values[0], 2**62)
    equal(json_format.MessageToDict(again.children[0]), {"name": "child", "values": [str(2**62)]})
    equal(json_format.Parse('{"name": "x", "values": [1, "2"]}', make()).values, [1, 2])
    with raises(message.DecodeError):
        make.FromString(b"\x0a\xff")
    with raises(TypeError):
        tree.name = 5
    moment = timestamp_pb2.Timestamp()
    moment.FromJsonString("2025-01-02T03:04:05Z")
    equal(moment.ToDatetime().minute, 4)
    equal(duration_pb2.Duration(seconds=90).ToTimedelta().seconds, 90)
    anything = struct_pb2.Struct()
    anything.update({"a": [1, {"b": None}]})
    equal(json_format.MessageToDict(anything), {"a": [1, {"b": None}]})
    in_threads(lambda _: [make.FromString(tree.SerializeToString()) for _ in range(300)])
    kind = api_implementation.Type()
    if kind == "upb":
        from google._upb import _message

        native(_message)
        return "upb"
    equal(kind, "python")
    return "in Python, since no wheel for musl has upb"


@check("zstandard")
def use_zstandard() -> str:
    import zstandard
    from zstandard import _cffi, backend_c

    native(backend_c, _cffi)
    equal(zstandard.backend, "cext")
    data = b"".join(b"%d: a line of text, much as the others\n" % n for n in range(50_000))
    single = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(data)
    threads = zstandard.ZstdCompressor(level=3, threads=2).compress(data)
    true(len(single) < len(data) / 5, "it is compressed")
    for compressed in (single, threads):
        equal(zstandard.ZstdDecompressor().decompress(compressed), data)
    with raises(zstandard.ZstdError, "frame header"):
        zstandard.ZstdDecompressor().decompress(b"no such data")
    with raises(zstandard.ZstdError):
        zstandard.ZstdDecompressor().decompress(single[:-5] + b"wrong")
    samples = [b"user %d has name n%d and no mail" % (n, n * n) for n in range(2_000)]
    dictionary = zstandard.train_dictionary(4_096, samples)
    small = zstandard.ZstdCompressor(dict_data=dictionary).compress(samples[7])
    equal(zstandard.ZstdDecompressor(dict_data=dictionary).decompress(small), samples[7])
    out = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(out, closefd=False) as writer:
        for start in range(0, len(data), 10_000):
            writer.write(data[start : start + 10_000])
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(out.getvalue()))
    equal(io.TextIOWrapper(reader).readline(), "0: a line of text, much as the others\n")
    many = zstandard.ZstdCompressor().multi_compress_to_buffer([data] * 4, threads=2)
    equal(len(many), 4)
    # The same library a second time, through cffi.
    equal(_cffi.lib.ZSTD_versionNumber(), int("{}{:02}{:02}".format(*zstandard.ZSTD_VERSION)))
    return "zstd {}.{}.{}".format(*zstandard.ZSTD_VERSION)
