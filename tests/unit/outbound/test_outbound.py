"""What is asked of other services: only what may be, only for so long, and never led elsewhere."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from certificates import certified

from sojourn.breaker import FAILURES, REST_SECONDS
from sojourn.errors import Unanswerable, Unanswered
from sojourn.outbound import Question, WebClient, allowed_address
from sojourn.outbound.addresses import read_url, target_of
from sojourn.outbound.client import MAX_BYTES, MAX_DEPTH, MAX_KEPT

ATTACKS = Path(__file__).parents[2] / "attacks"
HOST = "api.shop.example"
LOCAL = [ip_network("127.0.0.0/8")]
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


def lines(name: str) -> list[str]:
    return [line for line in (ATTACKS / name).read_text("utf-8").splitlines() if line and not line.startswith("#")]


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Served:
    """A service on this machine that says what a test lets it."""

    def __init__(self, say: Callable[[bytes], bytes], wait: float = 0.0) -> None:
        self.say, self.wait, self.asked, self.port = say, wait, [], 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        self.asked.append(head + await reader.readexactly(length))
        await asyncio.sleep(self.wait)
        writer.write(self.say(head))
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(say: bytes | Callable[[bytes], bytes], wait: float = 0.0) -> AsyncIterator[Served]:
    served = Served(say if callable(say) else lambda _: say, wait)
    server = await asyncio.start_server(served, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served


async def here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def client(time: Time | None = None) -> WebClient:
    return WebClient([HOST], resolver=here, besides=LOCAL, plain=True, time=time or Time())


def url(served: Served, path: str = "/") -> str:
    return f"http://{HOST}:{served.port}{path}"


# -- who may be asked --------------------------------------------------------------------------------


@pytest.mark.parametrize("address", lines("ssrf.txt"))
async def test_an_allowed_host_that_leads_to_a_private_address_is_never_asked(address: str) -> None:
    async def led(host: str, port: int) -> list[str]:
        return ["8.8.8.8", address]  # one good address does not excuse the other

    assert not allowed_address(address)
    with pytest.raises(Unanswerable, match="private network"):
        await target_of(f"https://{HOST}/", [HOST], led)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"])
def test_what_is_out_in_the_internet_may_be_asked(address: str) -> None:
    assert allowed_address(address)


@pytest.mark.parametrize("attack", lines("ssrf_urls.txt"))
async def test_an_address_that_is_not_plainly_of_an_allowed_host_is_refused_before_any_name_is_looked_up(attack: str) -> None:
    async def never(host: str, port: int) -> list[str]:
        raise AssertionError("a name was looked up")

    with pytest.raises(Unanswerable):
        await target_of(attack, [HOST], never)


def test_there_are_enough_attacks_to_mean_something() -> None:
    assert len(lines("ssrf.txt")) >= 50
    assert len(lines("ssrf_urls.txt")) >= 30
    assert read_url(f"https://{HOST}/v1?city=Berlin", [HOST]).hostname == HOST


async def test_a_name_is_looked_up_once_and_the_address_that_was_looked_at_is_the_one_that_is_asked() -> None:
    asked = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with serving(JSON + b"{}") as served:
        web = WebClient([HOST], resolver=rebinding, besides=LOCAL, plain=True)
        await web.get(url(served), 2, 0)
        with pytest.raises(Unanswerable):
            await web.get(url(served), 2, 0)
    assert asked == [HOST, HOST]  # once for each question
    assert len(served.asked) == 1
    assert f"host: {HOST}:{served.port}".encode() in served.asked[0].lower()


async def test_a_redirect_is_a_refusal_and_what_it_points_to_is_not_asked() -> None:
    async with serving(JSON + b'{"secret": 1}') as inside:
        back = f"HTTP/1.1 302 Found\r\nLocation: {url(inside)}\r\nConnection: close\r\n\r\n".encode()
        async with serving(back) as served:
            with pytest.raises(Unanswerable, match="302"):
                await client().get(url(served), 2, 0)
        assert inside.asked == []


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(JSON + b"{}") as served, serving(JSON + b'"by the proxy"') as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await client().get(url(served), 2, 0)).value == {}
        assert proxy.asked == []


# -- how much, how deep, how long --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (JSON + b'"' + b"x" * MAX_BYTES + b'"', "larger"),
        (JSON + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "deeper"),
        (JSON + b"[" + b"1," * 6000 + b"1]", "more than"),
        (JSON + b"{", "JSON"),
        (JSON + b"NaN", "JSON"),
        (JSON.replace(b"application/json", b"text/html") + b"{}", "JSON"),
        (JSON.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") + b"{}", "compressed"),
        (b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n", "404"),
    ],
)
async def test_what_is_no_small_json_is_refused(answer: bytes, why: str) -> None:
    async with serving(answer) as served:
        with pytest.raises(Unanswerable, match=why):
            await client().get(url(served), 2, 0)


async def test_a_slow_service_is_not_waited_for_longer_than_was_said() -> None:
    async with serving(JSON + b"{}", wait=5) as served:
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unanswered, match=r"within 0\.1 s"):
            await client().get(url(served), 0.1, 0)
        assert asyncio.get_running_loop().time() - began < 1


async def test_an_answer_is_kept_for_as_long_as_was_said_and_then_asked_anew() -> None:
    time = Time()
    async with serving(JSON + b'{"n": 1}') as served:
        web = client(time)
        first = await web.get(url(served), 2, 60)
        again = await web.get(url(served), 2, 60)
        assert (first.value, again.value, len(served.asked)) == ({"n": 1}, {"n": 1}, 1)
        assert again.because.endswith("kept from before")
        time.now += 61
        await web.get(url(served), 2, 60)
        assert len(served.asked) == 2


async def test_who_asks_the_same_at_the_same_time_shares_one_question() -> None:
    async with serving(JSON + b"{}", wait=0.1) as served:
        questions = [Question(url(served), 2, 60)] * 20
        assert all(getattr(got, "value", None) == {} for got in await client().get_all(questions))
        assert len(served.asked) == 1


async def test_only_so_many_answers_are_kept() -> None:
    async with serving(JSON + b"{}") as served:
        web = client()
        for i in range(MAX_KEPT + 5):
            web._kept[f"{i}"] = (9e9, None)  # type: ignore[assignment]
        await web.get(url(served), 2, 60)
        assert len(web._kept) == MAX_KEPT


async def test_a_service_that_fails_again_and_again_is_left_alone_for_a_while() -> None:
    time = Time()
    async with serving(b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n") as served:
        web = client(time)
        for _ in range(FAILURES):
            with pytest.raises(Unanswered, match="500"):
                await web.get(url(served), 2, 60)
        with pytest.raises(Unanswered, match="left alone"):
            await web.get(url(served), 2, 60)
        assert len(served.asked) == FAILURES
        time.now += REST_SECONDS + 1
        with pytest.raises(Unanswered, match="500"):
            await web.get(url(served), 2, 60)


async def test_a_service_that_is_away_is_unanswered_so_that_it_is_asked_again() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Unanswered):
            await client().get(f"http://{HOST}:{closed.getsockname()[1]}/", 1, 0)


async def test_a_post_carries_body_and_headers_and_an_empty_answer_is_one() -> None:
    async with serving(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n") as served:
        got = await client().post(url(served, "/hook?a=1"), b'{"a": 1}', {"webhook-id": "k"}, 2)
    assert got.value is None
    assert served.asked[0].startswith(b"POST /hook?a=1 HTTP/1.1")
    assert served.asked[0].endswith(b'\r\n\r\n{"a": 1}')
    assert b"webhook-id: k" in served.asked[0]


# -- TLS ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("certificate", "good"), [(HOST, True), ("other.shop.example", False)])
async def test_the_pinned_address_has_to_prove_that_it_is_the_host(certificate: str, good: bool, tmp_path: Path) -> None:
    served = Served(lambda _: JSON + b"{}")
    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=certified([certificate], tmp_path))
    web = client()
    web._tls = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    async with server:
        where = f"https://{HOST}:{server.sockets[0].getsockname()[1]}/"
        if good:
            assert (await web.get(where, 2, 0)).value == {}
            return
        with pytest.raises(Unanswered, match="ConnectError"):
            await web.get(where, 2, 0)
        assert served.asked == []
