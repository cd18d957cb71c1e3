"""pandas, pyarrow, polars."""

from __future__ import annotations

import io
import sqlite3
import threading

from checks.registry import check, equal, in_threads, native, raises

CSV = "day,city,value\n2025-01-01,Oslo,1.5\n2025-01-02,Rome,2.5\n2025-01-02,Oslo,\n"


@check("pandas")
def use_pandas() -> None:
    import numpy as np
    import pandas as pd
    from pandas._libs import parsers

    native(parsers)
    frame = pd.read_csv(io.StringIO(CSV), parse_dates=["day"])
    equal(frame.groupby("city")["value"].sum().to_dict(), {"Oslo": 1.5, "Rome": 2.5})
    equal(frame["value"].isna().sum(), 1)
    with raises(pd.errors.ParserError, "Expected 1 fields in line 2, saw 2"):
        pd.read_csv(io.StringIO("a\n1,2\n3,4,5\n"), header=None)
    zones = frame["day"].dt.tz_localize("Europe/Oslo").dt.tz_convert("America/New_York")
    equal(str(zones[0]), "2024-12-31 18:00:00-05:00")
    with raises(ValueError, "Unknown datetime string format"):
        pd.Timestamp("no day at all")
    other = pd.DataFrame({"city": ["Oslo", "Rome"], "country": ["NO", "IT"]})
    merged = frame.merge(other, on="city", how="left")
    equal(merged["country"].tolist(), ["NO", "IT", "NO"])
    text = frame.to_json(orient="records", date_format="iso")
    equal(len(pd.read_json(io.StringIO(text))), 3)
    days = pd.Series(np.arange(365.0), index=pd.date_range("2025-01-01", periods=365))
    equal(days.resample("MS").mean().iloc[0], 15.0)
    equal(days.rolling(7).mean().iloc[-1], 361.0)
    equal(merged.pivot_table(index="city", columns="country", values="value").shape, (2, 2))
    stream = io.BytesIO()
    frame.to_parquet(stream)
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(stream.getvalue())), frame)
    with sqlite3.connect(":memory:") as base:
        frame.to_sql("values_", base, index=False)
        equal(pd.read_sql("select count(*) as n from values_", base)["n"][0], 3)
    equal(frame.query("value > 2")["city"].tolist(), ["Rome"])
    numbers = pd.DataFrame({"key": np.arange(100_000) % 7, "value": 1})
    sums = in_threads(lambda _: numbers.groupby("key")["value"].sum().tolist())
    equal(sum(list(sums[0])), 100_000)  # type: ignore[call-overload]
    equal(frame["city"].str.upper().tolist(), ["OSLO", "ROME", "OSLO"])


@check("pyarrow")
def use_pyarrow() -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv
    import pyarrow.dataset
    import pyarrow.flight
    import pyarrow.parquet as pq
    from pyarrow import _parquet, lib

    native(lib, _parquet)
    table = pa.table(
        {
            "n": pa.array(range(50_000)),
            "text": pa.array([f"text {n % 100}" for n in range(50_000)]).dictionary_encode(),
            "list": pa.array([[n, None] for n in range(50_000)]),
        }
    )
    for compression in ("snappy", "zstd", "gzip", "brotli", "lz4", "none"):
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression=compression)
        equal(pq.read_table(pa.BufferReader(sink.getvalue())).equals(table), True)
    with raises(pa.ArrowInvalid, "Parquet"):
        pq.read_table(pa.BufferReader(b"this is no such file at all"))
    equal(pc.sum(table["n"]).as_py(), 50_000 * 49_999 // 2)
    grouped = table.group_by("text").aggregate([("n", "count")])
    equal(set(grouped["n_count"].to_pylist()), {500})
    with raises(pa.ArrowInvalid, "divide by zero"):
        pc.divide(pa.array([1]), pa.array([0]))
    with raises(pa.ArrowNotImplementedError):
        pc.add(pa.array(["a"]), pa.array([1]))
    read = pyarrow.csv.read_csv(io.BytesIO(CSV.encode()))
    equal(read.schema.field("day").type, pa.date32())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    equal(pa.ipc.open_stream(sink.getvalue()).read_all().num_rows, 50_000)
    scanned = pyarrow.dataset.dataset(table).to_table(filter=pc.field("n") < 10, columns=["n"])
    equal(scanned.num_rows, 10)
    equal(table.to_pandas()["n"].sum(), 50_000 * 49_999 // 2)
    in_threads(lambda _: table.sort_by([("n", "descending")]))
    serve_flights(pa, pyarrow.flight, table.slice(0, 100).select(["n"]))


def serve_flights(pa: object, flight: object, table: object) -> None:
    """A server and a client of Arrow Flight in one process: gRPC inside libarrow_flight."""

    class Server(flight.FlightServerBase):  # type: ignore[misc,name-defined]
        def do_get(self, context: object, ticket: object) -> object:
            if ticket.ticket != b"all":  # type: ignore[attr-defined]
                raise KeyError("no such flight")
            return flight.RecordBatchStream(table)  # type: ignore[attr-defined]

    with Server("grpc://127.0.0.1:0") as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        address = f"grpc://127.0.0.1:{server.port}"
        with flight.connect(address) as client:  # type: ignore[attr-defined]
            got = client.do_get(flight.Ticket(b"all")).read_all()  # type: ignore[attr-defined]
            equal(got.equals(table), True)
            with raises(Exception, "no such flight"):
                client.do_get(flight.Ticket(b"none")).read_all()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


@check("polars")
def use_polars() -> None:
    import _polars_runtime_32._polars_runtime as runtime
    import polars as pl

    native(runtime)
    frame = pl.read_csv(io.BytesIO(CSV.encode()), try_parse_dates=True)
    equal(frame.schema["day"], pl.Date())
    sums = frame.group_by("city").agg(pl.col("value").sum()).sort("city")
    equal(sums.rows(), [("Oslo", 1.5), ("Rome", 2.5)])
    lazy = (
        pl.LazyFrame({"n": range(200_000)})
        .with_columns(m=pl.col("n") % 11)
        .filter(pl.col("m") > 3)
        .group_by("m")
        .len()
    )
    equal(lazy.collect().height, 7)
    equal(lazy.collect(engine="streaming").height, 7)
    with raises(pl.exceptions.ColumnNotFoundError, "none"):
        frame.select("none")
    with raises(pl.exceptions.ComputeError):
        pl.read_parquet(io.BytesIO(b"this is no such file at all"))
    for write, read in (
        (frame.write_parquet, pl.read_parquet),
        (frame.write_ipc, pl.read_ipc),
        (frame.write_ndjson, pl.read_ndjson),
    ):
        stream = io.BytesIO()
        write(stream)
        equal(read(io.BytesIO(stream.getvalue())).height, 3)
    equal(pl.SQLContext(t=frame).execute("select count(*) from t").collect().item(), 3)
    # Rust's threads call back into Python, and its errors come through.
    texts = frame["value"].map_elements(repr, return_dtype=pl.String)
    equal(texts.to_list(), ["1.5", "2.5", None])

    def fail(x: float) -> float:
        raise KeyError("from a callback")

    with raises(Exception, "from a callback"):
        frame["value"].map_elements(fail, return_dtype=pl.Float64)
    equal(pl.from_arrow(frame.to_arrow()).equals(frame), True)
    equal(frame["city"].str.replace_all("[aeiou]", "-").to_list(), ["Osl-", "R-m-", "Osl-"])
    equal(frame.join(frame, on="city").height, 5)
    moment = pl.Series(["2025-07-01 12:00"]).str.to_datetime().dt.replace_time_zone("Europe/Oslo")
    equal(moment.dt.convert_time_zone("UTC").dt.hour()[0], 10)
    in_threads(lambda _: lazy.collect())
