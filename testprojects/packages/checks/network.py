"""grpcio, uvloop, aiohttp, multidict, yarl, frozenlist, propcache."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import signal
import ssl
import tempfile
from typing import TYPE_CHECKING

from checks.registry import check, command, equal, in_threads, native, raises, true

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS = "127.0.0.1"


def certificate() -> tuple[bytes, bytes]:
    """A key and a self-signed certificate for this machine, both PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=localhost")
    # The address too: where there is no /etc/hosts, nobody knows `localhost`.
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(ADDRESS))]
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return pem, built.public_bytes(serialization.Encoding.PEM)


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's and the client's, for a certificate made here."""
    key, cert = certificate()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(key + cert)
        file.flush()
        server.load_cert_chain(file.name)
    client = ssl.create_default_context(cadata=cert.decode())
    return server, client


@check("grpcio")
def use_grpcio() -> None:
    from concurrent import futures

    import grpc
    from grpc._cython import cygrpc

    native(cygrpc)

    def upper(request: bytes, context: grpc.ServicerContext) -> bytes:
        if request == b"bad":
            context.set_trailing_metadata((("why", "because"),))
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this is bad")
        return request.upper()

    def count(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for number, request in enumerate(requests):
            yield b"%d:%s" % (number, request)

    handlers = grpc.method_handlers_generic_handler(
        "own.Service",
        {
            "Upper": grpc.unary_unary_rpc_method_handler(upper),
            "Count": grpc.stream_stream_rpc_method_handler(count),
        },
    )
    key, cert = certificate()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port(f"{ADDRESS}:0")
    secure = server.add_secure_port(f"{ADDRESS}:0", grpc.ssl_server_credentials([(key, cert)]))
    server.start()
    trusted = grpc.ssl_channel_credentials(cert)
    for channel in (
        grpc.insecure_channel(f"{ADDRESS}:{port}"),
        grpc.secure_channel(f"{ADDRESS}:{secure}", trusted),
    ):
        with channel:
            call = channel.unary_unary("/own.Service/Upper")
            equal(call(b"text", timeout=30), b"TEXT")
            equal(
                in_threads(lambda n, call=call: call(b"x" * 1000 * n, timeout=30)),
                [b"X" * 1000 * n for n in range(4)],
            )
            stream = channel.stream_stream("/own.Service/Count")
            replies = list(stream(iter([b"a", b"b", b"c"]), timeout=30))
            equal(replies, [b"0:a", b"1:b", b"2:c"])
            with raises(grpc.RpcError, "this is bad"):
                call(b"bad", timeout=30)
            with raises(grpc.RpcError, "UNIMPLEMENTED"):
                channel.unary_unary("/own.Service/None")(b"", timeout=30)
    server.stop(None).wait()
    asyncio.run(grpc_with_asyncio(handlers))


async def grpc_with_asyncio(handlers: object) -> None:
    from concurrent import futures

    import grpc

    server = grpc.aio.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port(f"{ADDRESS}:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"{ADDRESS}:{port}") as channel:
        call = channel.unary_unary("/own.Service/Upper")
        equal(
            await asyncio.gather(*(call(b"%d a" % n) for n in range(20))),
            [b"%d A" % n for n in range(20)],
        )
    await server.stop(None)


@check("uvloop")
def use_uvloop() -> None:
    import uvloop
    from uvloop import loop as extension

    native(extension)
    uvloop.run(uvloop_echo())
    with raises(ZeroDivisionError):
        uvloop.run(uvloop_failure())
    in_threads(lambda _: uvloop.new_event_loop().close())


async def uvloop_failure() -> None:
    await asyncio.sleep(0.001)
    raise ZeroDivisionError


async def uvloop_echo() -> None:
    import uvloop

    loop = asyncio.get_running_loop()
    true(isinstance(loop, uvloop.Loop), "the loop is uvloop's")

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server_tls, client_tls = contexts()
    for listen, call in ((None, None), (server_tls, client_tls)):
        server = await asyncio.start_server(echo, ADDRESS, 0, ssl=listen)
        port = server.sockets[0].getsockname()[1]
        name = "localhost" if call else None
        reader, writer = await asyncio.open_connection(
            ADDRESS, port, ssl=call, server_hostname=name
        )
        writer.write(b"text" * 100_000)
        equal(len(await reader.readexactly(400_000)), 400_000)
        writer.close()
        server.close()
        await server.wait_closed()
    child = await asyncio.create_subprocess_exec(*command("--list"), stdout=asyncio.subprocess.PIPE)
    listed, _ = await child.communicate()
    true(child.returncode == 0 and b"\nuvloop\n" in listed, f"a subprocess: {listed!r}")
    signalled = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, signalled.set)
    signal.raise_signal(signal.SIGUSR1)
    await asyncio.wait_for(signalled.wait(), 10)
    equal(await loop.run_in_executor(None, sum, range(10)), 45)
    addresses = await loop.getaddrinfo(ADDRESS, 80)
    equal(addresses[0][4], (ADDRESS, 80))
    with raises(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.sleep(10), 0.01)
    with raises(ConnectionRefusedError):
        await asyncio.open_connection(ADDRESS, 1)


@check("aiohttp")
def use_aiohttp() -> None:
    from aiohttp import _http_parser, _http_writer
    from aiohttp._websocket import mask, reader_c

    native(_http_parser, _http_writer, mask, reader_c)
    asyncio.run(aiohttp_talk())


async def aiohttp_talk() -> None:
    import aiohttp
    from aiohttp import web

    async def greet(request: web.Request) -> web.Response:
        response = web.json_response({"path": request.path, "body": await request.text()})
        response.enable_compression()
        return response

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for number in range(100):
            await response.write(b"%d\n" % number)
        return response

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data.upper())
        return socket

    async def upload(request: web.Request) -> web.Response:
        fields = await request.post()
        return web.Response(text=fields["file"].file.read().decode())  # type: ignore[union-attr]

    application = web.Application()
    application.add_routes(
        [
            web.post("/greet/{name}", greet),
            web.get("/stream", stream),
            web.get("/talk", talk),
            web.post("/upload", upload),
        ]
    )
    server_tls, client_tls = contexts()
    runner = web.AppRunner(application)
    await runner.setup()
    sites = [
        web.TCPSite(runner, ADDRESS, 0),
        web.TCPSite(runner, ADDRESS, 0, ssl_context=server_tls),
    ]
    for site in sites:
        await site.start()
    plain, secure = (address[1] for address in runner.addresses)
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        base = f"http://127.0.0.1:{plain}"
        async with session.post(f"{base}/greet/J%C3%BCrgen", data="text" * 1000) as response:
            equal(await response.json(), {"path": "/greet/Jürgen", "body": "text" * 1000})
            equal(response.headers["Content-Encoding"], "deflate")
        async with session.get(f"{base}/stream") as response:
            equal([int(line) async for line in response.content], list(range(100)))
        async with session.ws_connect(f"{base}/talk", compress=15) as socket:
            for text in ("one", "two" * 50_000):
                await socket.send_str(text)
                equal(await socket.receive_str(), text.upper())
        form = aiohttp.FormData()
        form.add_field("file", b"content", filename="x.txt")
        async with session.post(f"{base}/upload", data=form) as response:
            equal(await response.text(), "content")
        with raises(aiohttp.ClientResponseError, "404"):
            await session.get(f"{base}/none")
        with raises(aiohttp.ClientConnectorError):
            await session.get("http://127.0.0.1:1/")
        address = f"https://127.0.0.1:{secure}/stream"
        async with session.get(address, ssl=client_tls, server_hostname="localhost") as response:
            equal(len(await response.read()), 290)
        with raises(aiohttp.ClientConnectorCertificateError, "verify failed"):
            await session.get(address)
    await runner.cleanup()


@check("multidict")
def use_multidict() -> None:
    import multidict
    from multidict import _multidict

    native(_multidict)
    values = multidict.CIMultiDict([("Accept", "a"), ("accept", "b"), ("Other", "c")])
    equal((values.getall("ACCEPT"), len(values)), (["a", "b"], 3))
    proxy = multidict.CIMultiDictProxy(values)
    with raises(TypeError):
        proxy["x"] = "y"  # type: ignore[index]
    with raises(KeyError, "none"):
        values["none"]
    with raises(RuntimeError, "changed during iteration"):
        for key in values:
            values.add(key, "x")
    values.extend({"new": "n"})
    equal((proxy.get("New"), values.popall("accept")[:2]), ("n", ["a", "b"]))
    equal(multidict.istr("Key"), "Key")
    in_threads(lambda _: [multidict.MultiDict(a=str(n)) for n in range(10_000)])


@check("yarl")
def use_yarl() -> None:
    import yarl
    from yarl import _quoting_c

    native(_quoting_c)
    url = yarl.URL("http://user:p%40ss@exämple.com:8080/a b/ü?q=1&q=ß#frag")
    equal((url.host, url.raw_host, url.port), ("exämple.com", "xn--exmple-cua.com", 8080))
    equal((url.path, url.raw_path, url.password), ("/a b/ü", "/a%20b/%C3%BC", "p@ss"))
    equal(url.query.getall("q"), ["1", "ß"])
    equal(str(yarl.URL("http://h/a/b").join(yarl.URL("../c?x=%20"))), "http://h/c?x=%20")
    equal(str(yarl.URL("http://h") / "a/b" % {"k": "v w"}), "http://h/a/b?k=v+w")
    with raises(ValueError, "port"):
        yarl.URL("http://h:port/")
    text = "Grüße/ %" * 2_000
    equal(_quoting_c._Unquoter()(_quoting_c._Quoter()(text)), text)


@check("frozenlist")
def use_frozenlist() -> None:
    import frozenlist
    from frozenlist import _frozenlist

    native(_frozenlist)
    values = frozenlist.FrozenList([1, 2])
    values.append(3)
    values.extend(range(4, 6))
    with raises(RuntimeError, "Cannot hash unfrozen list"):
        hash(values)
    values.freeze()
    equal(
        (list(values), hash(values) == hash(values), values.frozen), ([1, 2, 3, 4, 5], True, True)
    )
    with raises(RuntimeError, "Cannot modify frozen list"):
        values.append(6)
    true(values == [1, 2, 3, 4, 5] and values < [2], "compared as a list is")


@check("propcache")
def use_propcache() -> None:
    import propcache.api
    from propcache import _helpers_c

    native(_helpers_c)
    true(propcache.api.cached_property is _helpers_c.cached_property, "it is the native one")

    class Counting:
        def __init__(self) -> None:
            self._cache: dict[str, int] = {}
            self.calls = 0

        @propcache.api.under_cached_property
        def under(self) -> int:
            self.calls += 1
            return 7

        @propcache.api.cached_property
        def plain(self) -> int:
            self.calls += 1
            return 8

    one = Counting()
    equal((one.under, one.under, one.plain, one.plain, one.calls), (7, 7, 8, 8, 2))
    equal((one._cache, one.__dict__["plain"]), ({"under": 7}, 8))
    with raises(AttributeError, "read-only"):
        one.under = 1  # type: ignore[misc]
