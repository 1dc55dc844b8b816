"""Faults of HTTP libraries as our errors, and no key in any of them. (Promise S3.)"""

import traceback
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_actors.errors import ConnectionFailedError, ModelTimeoutError, ServerError, StreamTruncatedError
from llm_actors.messages import Secret
from llm_actors.providers.protocol import Endpoint
from llm_actors.testing import Answer, Close, Send, Speak, chunk, head, reply
from llm_actors.transport.fault import explained, masked, secrets_of, shown, without_secrets
from tests.transport.line_wire import LineWire, run


def made(module, *names):
    """An exception of a library that is not installed: its class names, from the root down."""
    kind: type[Exception] = Exception
    for name in names:
        kind = types.new_class(name, (kind,), exec_body=lambda body: body.update(__module__=module))
    return kind("it said")


@pytest.mark.parametrize("module", ["httpx", "httpx2._exceptions", "httpcore", "httpcore2"])
@pytest.mark.parametrize(
    ("names", "streaming", "kind", "phase"),
    [
        (("TransportError", "TimeoutException", "ConnectTimeout"), False, ModelTimeoutError, "connect"),
        (("TransportError", "TimeoutException", "PoolTimeout"), False, ModelTimeoutError, "connect"),
        (("TransportError", "TimeoutException", "ReadTimeout"), False, ModelTimeoutError, "first byte"),
        (("TransportError", "TimeoutException", "ReadTimeout"), True, ModelTimeoutError, "idle"),
        (("TransportError", "NetworkError", "ConnectError"), False, ConnectionFailedError, "connect"),
        (("TransportError", "ProxyError"), False, ConnectionFailedError, "connect"),
        (("TransportError", "UnsupportedProtocol"), False, ConnectionFailedError, "connect"),
        (("TransportError", "ProtocolError", "RemoteProtocolError"), False, ConnectionFailedError, "first byte"),
        (("TransportError", "ProtocolError", "RemoteProtocolError"), True, StreamTruncatedError, None),
        (("RequestError", "DecodingError"), True, StreamTruncatedError, None),
    ],
)
def test_exceptions_are_known_by_name_whichever_library_they_are_of(module, names, streaming, kind, phase):
    error = explained(made(module, *names), "there", streaming=streaming, connect=3.0)
    assert type(error) is kind
    assert "there" in str(error)
    assert getattr(error, "phase", None) == phase


def test_exceptions_of_the_system_and_of_clients_are_explained_and_others_are_not():
    assert type(explained(OSError("no"), "there", streaming=True)) is StreamTruncatedError
    assert type(explained(RuntimeError(), "there", streaming=False)) is ConnectionFailedError
    assert type(explained(TimeoutError(), "there", streaming=False)) is ModelTimeoutError
    other = ZeroDivisionError()
    assert explained(other, "there", streaming=True) is other
    theirs = made("elsewhere", "ConnectError")
    assert explained(theirs, "there", streaming=False) is theirs


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://user:pass@host:1/v1?key=k#f", "https://host:1/v1"),
        ("https://user:p@ss@host", "https://host"),
        ("host/v1", "host/v1"),
        ("", ""),
        ("http://[::1", "http://[::1"),
    ],
)
def test_a_url_is_shown_without_what_it_should_not_show(url, text):
    assert shown(url) == text


@given(st.text(min_size=4, max_size=20), st.text(max_size=20))
def test_a_masked_value_holds_no_secret(secret, around):
    value = {"a": [around + secret, (secret.encode("utf-8", "surrogatepass"), 1, None)], secret: secret + around}
    assert secret not in "".join(texts(masked(value, (secret,))))


def texts(value):
    if isinstance(value, bytes):
        yield value.decode("utf-8", "surrogateescape")
    elif isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts([*value, *value.values()])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


def test_secrets_are_found_wherever_they_are_configured():
    endpoint = Endpoint(
        "https://user:hunter22@host/v1",
        headers={"X-Api-Key": "head/er+key", "Proxy-Authorization": "Basic abcdef", "OpenAI-Organization": "pelicans"},
        query={"key": "query-key", "api-version": "2024"},
    )
    secrets = secrets_of(endpoint, Secret('the"key'), None)
    assert {
        "head/er+key",
        "Basic abcdef",
        "abcdef",
        "query-key",
        "hunter22",
        'the"key',
        'the\\"key',
        "head%2Fer%2Bkey",
    } <= set(secrets)
    assert not {"pelicans", "2024", ""} & set(secrets)
    assert [len(secret) for secret in secrets] == sorted(map(len, secrets), reverse=True)


def test_errors_that_are_not_ours_stay_as_they_are():
    error = ZeroDivisionError("sk-123456")
    assert without_secrets(error, ("sk-123456",)) is error
    assert str(error) == "sk-123456"


KEY = "sk-very/secret+key"
HEADER = "hidden-header-value"


class Telling(LineWire):
    """Tells all it has in its errors, as a careless provider would."""

    def error(self, status, headers, body):
        try:
            raise ValueError(body)
        except ValueError as cause:
            error = ServerError(
                f"{status} {headers} {body!r}", body={"b": [body, body.decode()]}, request_id=str(headers)
            )
            raise error from cause


def everything(error):
    return "".join([str(error), repr(error), repr(vars(error)), *traceback.format_exception(error, chain=True)])


@pytest.mark.parametrize(
    "answer",
    [
        reply(401, f"wrong key {KEY} and {HEADER}", headers={"x-echo": KEY}),
        reply(401, {"error": {"message": KEY, "header": HEADER}}),
        Answer([Send(head() + chunk(f"! {KEY} {HEADER}\n".encode()))]),
        Answer([Send(head() + chunk(b"one\n")), Close()]),
        Answer([Send(b"HTTP/1.1 nonsense " + KEY.encode() + b"\r\n\r\n")]),
        Answer([Close()]),
        reply(302, headers={"location": f"https://{KEY}@else.where/{HEADER}"}),
    ],
)
def test_no_key_is_in_any_error(server, answer):
    async def body(bench):
        server.play(answer)
        _, ending = await bench.call(key=KEY, headers={"x-secret": HEADER})
        assert isinstance(ending, Exception)
        for secret in (KEY, HEADER):
            assert secret not in everything(ending)
        flight, sink = bench.start(key=KEY, headers={"x-secret": HEADER})
        for secret in (KEY, HEADER):
            assert secret not in f"{flight!r} {flight._call!r} {flight.task!r} {flight._call.endpoint!r} {bench.pump!r}"
        flight.stop()
        await sink.over

    run(body, server.base_url, provider=Telling())


def test_the_key_goes_out_all_the_same(server):
    async def body(bench):
        server.play(Answer([Speak()]))
        await bench.call(key=KEY)

    run(body, server.base_url)
    assert server.requests[0].headers["x-key"] == KEY
