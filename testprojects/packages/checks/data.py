"""sqlalchemy, psycopg, h5py."""

from __future__ import annotations

import io
import socket
import struct
import threading

from checks.registry import check, equal, in_threads, native, raises, true


@check("sqlalchemy")
def use_sqlalchemy() -> None:
    import sqlalchemy as sa
    from sqlalchemy import orm
    from sqlalchemy.engine import _result_cy, _row_cy
    from sqlalchemy.util import _collections_cy

    native(_row_cy, _result_cy, _collections_cy)

    class Base(orm.DeclarativeBase):
        pass

    class City(Base):
        __tablename__ = "city"
        id = sa.Column(sa.Integer, primary_key=True)
        name = sa.Column(sa.String(50), unique=True, nullable=False)
        streets = orm.relationship("Street", back_populates="city", cascade="all, delete-orphan")

    class Street(Base):
        __tablename__ = "street"
        id = sa.Column(sa.Integer, primary_key=True)
        name = sa.Column(sa.String(50))
        city_id = sa.Column(sa.ForeignKey("city.id"))
        city = orm.relationship(City, back_populates="streets")

    engine = sa.create_engine(
        "sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False}
    )
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        for name in ("Oslo", "Rome"):
            session.add(City(name=name, streets=[Street(name=f"{name} {n}") for n in range(50)]))
        session.commit()
        query = (
            sa.select(City.name, sa.func.count(Street.id).label("n"))
            .join(City.streets)
            .where(Street.name.like("%1%"))
            .group_by(City.name)
            .order_by(City.name)
        )
        rows = session.execute(query).all()
        equal([(row.name, row.n) for row in rows], [("Oslo", 14), ("Rome", 14)])
        equal(
            len(session.scalars(sa.select(City).options(orm.selectinload(City.streets))).all()), 2
        )
        session.add(City(name="Oslo"))
        with raises(sa.exc.IntegrityError, "UNIQUE constraint failed"):
            session.commit()
        session.rollback()
        session.delete(session.scalars(sa.select(City).where(City.name == "Oslo")).one())
        session.commit()
        equal(session.scalar(sa.select(sa.func.count()).select_from(Street)), 50)
    with engine.connect() as connection, raises(sa.exc.OperationalError, "no such table"):
        connection.execute(sa.text("select * from none"))
    equal(len(_collections_cy.OrderedSet([1, 2, 1])), 2)
    in_threads(lambda n: str(sa.select(City).where(City.id == n).compile(engine)))


def refuse(listening: socket.socket) -> None:
    """A server that speaks just enough of PostgreSQL's protocol (version 3) to say no."""
    connection, _ = listening.accept()
    with connection:
        while True:
            length = struct.unpack("!I", connection.recv(4))[0]
            code = struct.unpack("!I", connection.recv(length - 4)[:4])[0]
            if code == 3 << 16:
                break
            connection.sendall(b"N")  # neither TLS nor GSSAPI
        fields = b"SFATAL\0VFATAL\0C28000\0Mno entry for you\0\0"
        connection.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)


@check("psycopg")
def use_psycopg() -> str:
    import psycopg
    from psycopg import pq, sql
    from psycopg.adapt import Transformer
    from psycopg.types.json import Jsonb
    from psycopg_binary import _psycopg
    from psycopg_binary import pq as native_pq

    native(_psycopg, native_pq)
    equal(pq.__impl__, "binary")
    true(pq.version() >= 160000, f"libpq {pq.version()}")
    with raises(psycopg.OperationalError, "refused"):
        psycopg.connect("host=127.0.0.1 port=1 user=u", connect_timeout=5)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=refuse, args=(listening,))
        thread.start()
        port = listening.getsockname()[1]
        with raises(psycopg.OperationalError, "no entry for you"):
            psycopg.connect(
                f"host=127.0.0.1 port={port} user=u gssencmode=disable", connect_timeout=5
            )
        thread.join()
    with raises(psycopg.ProgrammingError, "missing"):
        psycopg.conninfo.conninfo_to_dict("host")
    equal(psycopg.conninfo.make_conninfo(host="h h", port=1), "host='h h' port=1")
    transformer = Transformer()
    equal(bytes(transformer.as_literal([1, 2])), b"'{1,2}'::int2[]")
    equal(bytes(transformer.as_literal("it's")), b"'it''s'")
    equal(bytes(transformer.as_literal(Jsonb({"a": 1}))), b"""'{"a": 1}'::jsonb""")
    loader = transformer.get_loader(psycopg.postgres.types["int4"].array_oid, pq.Format.TEXT)
    equal(loader.load(b"{{1,2},{3,NULL}}"), [[1, 2], [3, None]])
    text = sql.SQL("select {} from {}").format(sql.Literal(1.5), sql.SQL("t")).as_string()
    equal(text, "select 1.5 from t")
    return f"libpq {pq.version() // 10000}.{pq.version() % 10000}"


@check("h5py")
def use_h5py() -> str:
    import h5py
    import numpy as np
    from h5py import _conv, h5d

    native(h5d, _conv)
    values = np.random.default_rng(7).integers(0, 9, (300, 400))
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        group = file.create_group("a/b")
        group.create_dataset(
            "packed",
            data=values,
            chunks=(50, 50),
            compression="gzip",
            shuffle=True,
            fletcher32=True,
        )
        group.create_dataset("lzf", data=values, compression="lzf")
        group["text"] = ["Grüße", "x" * 1000]
        group["records"] = np.array([(1, 2.5)], dtype=[("n", "i4"), ("x", "f8")])
        group.attrs["unit"] = "m"
        growing = file.create_dataset("growing", (0,), maxshape=(None,), dtype="f4")
        for n in range(10):
            growing.resize((n + 1,))
            growing[n] = n
        file["link"] = h5py.SoftLink("/a/b/packed")
    true(len(stream.getvalue()) < values.nbytes, "it is compressed")
    with h5py.File(stream, "r") as file:
        equal(np.array_equal(file["link"][10:20, ::3], values[10:20, ::3]), True)
        equal(np.array_equal(file["a/b/lzf"], values), True)
        equal(file["a/b/text"].asstr()[0], "Grüße")
        equal((file["a/b/records"]["x"][0], file["a/b"].attrs["unit"]), (2.5, "m"))
        names: list[str] = []
        file.visit(names.append)
        equal(sorted(names)[:2], ["a", "a/b"])
        with raises(KeyError, "doesn't exist"):
            file["none"]

        def fail(name: str) -> None:
            raise ZeroDivisionError("from a callback")

        with raises(ZeroDivisionError, "from a callback"):
            file.visit(fail)
        in_threads(lambda _: file["a/b/packed"][:].sum())
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as file:
        file["x"] = values
        equal(int(file["x"][:].sum()), int(values.sum()))
    with raises(OSError, "signature not found"):
        h5py.File(io.BytesIO(b"no such file" * 100), "r")
    return f"HDF5 {h5py.version.hdf5_version}"
