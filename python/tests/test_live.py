"""The live view's core over a real socket: paths, pace, newest wins, clients that do not read."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import unittest
import unittest.mock
from concurrent.futures import ThreadPoolExecutor

from latentbridge import BridgeError
from latentbridge.live import Board, feeds, serve
from latentbridge.live import board as boards
from latentbridge.live.answers import ROOT, answer
from latentbridge.live.board import TooMany, Wanted
from latentbridge.live.feeds import LADDER, MOST_QUICK_ONES, QUICK_ONES, Pace, events, film
from latentbridge.preview import Preview
from latentbridge.protocol import LatentHeader
from tests.bridges import BridgeTestCase, until


def picture(step=0, run=1, encoding="jpeg", data=None, size=512, stream=0, total=20):
    return Preview(data if data is not None else b"picture %d" % step, encoding, size, size, run, stream, step, total, 100 * run + step, "tiny", 12.34)


def header(step=0, run=1, axes=(1, 4, 8, 8), stream=0, total=20):
    length = 4 * axes[0] * axes[1] * axes[2] * axes[3]
    return LatentHeader(100 * run + step, run, stream, step, total, 0, 0, axes, length), memoryview(bytes(length))


class FakeBridge:
    """Says what it was asked for; waits while ``gate`` is closed."""

    def __init__(self):
        self.encoded, self.decoded = [], []
        self.gate = threading.Event()
        self.gate.set()
        self.fault = None

    def encode(self, **options):
        return self._made(self.encoded, options)

    def decode(self, latent, **options):
        return self._made(self.decoded, options)

    def _made(self, calls, options):
        calls.append(options)
        if not self.gate.wait(20):
            raise AssertionError("nobody opened the gate")
        if self.fault is not None:
            raise BridgeError(self.fault)
        return picture(encoding=options["encoding"], data=repr(options).encode(), size=options["size"] or 512)


class BoardTests(unittest.TestCase):
    def test_nothing_is_kept_before_somebody_asks(self):
        board = Board()
        board.sent(*header())
        self.assertEqual(board.runs(), [])
        board.asked()
        board.describe(1, latent_format="SDXL", model="m")
        board.sent(*header(3))
        found = board.runs()[0]
        self.assertEqual((found["id"], found["format"], found["steps"], found["total"], found["items"]), ("0-1", "SDXL", [3], 20, 1))

    def test_what_was_kept_goes_when_nobody_has_watched_for_long(self):
        board = Board()
        board.asked()
        board.sent(*header())
        board._asked -= boards.WATCHED_SECONDS + 1
        board.sent(*header(1))
        self.assertEqual(board.runs()[0]["steps"], [0])
        board._asked -= boards.FORGOTTEN_SECONDS
        board.sent(*header(2))
        self.assertEqual(board.runs(), [])

    def test_memory_is_bounded(self):
        board = Board(room=10 * 1024)
        board.asked()
        for run in range(1, 30):
            for step in range(5):
                board.sent(*header(step, run))
        self.assertLessEqual(board.history.length, 10 * 1024)
        self.assertEqual(board.run_ids()[-1], "0-29")
        for run in range(500):
            board.describe(run)
        self.assertLessEqual(len(board._about), 201)

    def test_one_encode_is_shared_and_a_fitting_picture_needs_none(self):
        async def go():
            self.assertIs(await board.picture(Wanted("jpeg")), board.newest)
            self.assertIs(await board.picture(Wanted(None, 512)), board.newest)
            bridge.gate.clear()
            small = [asyncio.ensure_future(board.picture(Wanted("jpeg", 256, 70))) for _ in range(30)]
            await asyncio.sleep(0)
            bridge.gate.set()
            self.assertEqual(len({id(one) for one in await asyncio.gather(*small)}), 1)

        bridge = FakeBridge()
        board = Board(lambda: bridge)
        board.arrived(picture())
        asyncio.run(go())
        self.assertEqual(bridge.encoded, [{"stream": 0, "encoding": "jpeg", "size": 256, "quality": 70}])

    def test_a_kept_step_is_decoded_as_what_it_is(self):
        async def go():
            self.assertIsNone(await board.step(0, 1, 5, 0, Wanted("webp")))
            return await board.step(0, 1, 4, 2, Wanted("webp", 128), decoder="taesd")

        bridge = FakeBridge()
        board = Board(lambda: bridge)
        board.asked()
        board.describe(1, latent_format="SDXL", model="m")
        board.sent(*header(4, axes=(3, 4, 8, 8)))
        self.assertEqual(board.runs()[0]["items"], 3)
        asyncio.run(go())
        self.assertEqual(bridge.decoded, [{"latent_format": "SDXL", "model": "m", "batch": "item", "item": 2, "encoding": "webp", "size": 128,
                                           "decoder": "taesd", "timeout": boards.DECODE_SECONDS}])

    def test_too_many_wishes_are_refused_and_a_failed_one_is_forgotten(self):
        async def go():
            bridge.gate.clear()
            waiting = [asyncio.ensure_future(board.picture(Wanted("jpeg", size))) for size in range(1, boards.MOST_WAITING + 1)]
            await asyncio.sleep(0)
            with self.assertRaises(TooMany):
                await board.picture(Wanted("jpeg", 100))
            bridge.fault = "the host is gone"
            bridge.gate.set()
            for one in waiting:
                with self.assertRaises(BridgeError):
                    await one
            bridge.fault = None
            self.assertEqual((await board.picture(Wanted("jpeg", 1))).width, 1)

        bridge = FakeBridge()
        board = Board(lambda: bridge)
        board.arrived(picture())
        asyncio.run(go())

    def test_made_pictures_are_bounded(self):
        async def go():
            for step in range(40):
                board.arrived(picture(step))
                await board.picture(Wanted("jpeg", 256))

        bridge = FakeBridge()
        bridge.encode = lambda **options: picture(data=bytes(1 << 20))
        board = Board(lambda: bridge)
        asyncio.run(go())
        self.assertLessEqual(sum(len(made.result().data) for made in board._made.values()), boards.KEPT_BYTES)


class FeedTests(unittest.TestCase):
    def test_a_film_gives_what_is_newest_when_the_client_is_ready(self):
        async def go():
            pieces = film(board, Wanted("jpeg"))
            self.assertEqual(await anext(pieces), b"--latentbridge\r\n")
            board.arrived(picture(0))
            self.assertIn(b"picture 0", await anext(pieces))
            for step in range(1, 50):
                board.arrived(picture(step))
            self.assertEqual(await anext(pieces), b"Content-Type: image/jpeg\r\nContent-Length: 10\r\n\r\npicture 49\r\n--latentbridge\r\n")
            await pieces.aclose()

        board = Board()
        asyncio.run(go())
        self.assertEqual(board.clients, 0)

    def test_a_film_wakes_for_a_picture_of_another_thread(self):
        async def go():
            pieces = film(board, Wanted("jpeg"))
            await anext(pieces)
            waiting = asyncio.ensure_future(anext(pieces))
            await asyncio.sleep(0)
            threading.Thread(target=board.arrived, args=(picture(7),)).start()
            self.assertIn(b"picture 7", await asyncio.wait_for(waiting, 20))
            await pieces.aclose()

        board = Board()
        asyncio.run(go())

    def test_where_the_host_cannot_encode_the_picture_goes_as_it_is(self):
        async def go():
            pieces = film(board, Wanted("jpeg"))
            await anext(pieces)
            self.assertIn(b"Content-Type: image/png", await anext(pieces))
            await pieces.aclose()

        bridge = FakeBridge()
        bridge.fault = "none"
        board = Board(lambda: bridge)
        board.arrived(picture(encoding="png"))
        asyncio.run(go())

    def test_events_tell_runs_and_the_newest_step(self):
        async def go():
            pieces = events(board)
            await anext(pieces)
            self.assertEqual(read(await anext(pieces)), [("runs", [])])
            board.sent(*header(0))
            board.arrived(picture(0))
            board.arrived(picture(1))
            (first, runs), (second, step) = read(await anext(pieces))
            self.assertEqual((first, [run["id"] for run in runs], second), ("runs", ["0-1"], "step"))
            self.assertEqual((step["run"], step["step"], step["total"], step["decoder"], step["milliseconds"], step["steps"]), ("0-1", 1, 20, "tiny", 12.3, [0]))
            board.sent(*header(7))  # the run's last, whose picture did not come in time
            with unittest.mock.patch.object(feeds, "AGAIN_SECONDS", 0.01):
                (kind, runs), = read(await anext(pieces))
            self.assertEqual((kind, runs[0]["steps"]), ("runs", [0, 7]))
            await pieces.aclose()

        def read(piece):
            lines = [block.split("\n") for block in piece.decode().strip().split("\n\n")]
            return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in lines]

        board = Board()
        board.asked()
        asyncio.run(go())

    def test_a_slow_client_gets_smaller_pictures_and_larger_ones_again(self):
        pace = Pace(Wanted("jpeg"))
        self.assertEqual(pace.wanted, Wanted("jpeg"))
        for rung in range(1, len(LADDER) + 3):
            pace.took(2.0)
            self.assertEqual(pace.wanted[1:], LADDER[min(rung, len(LADDER) - 1)])
        for _ in range(QUICK_ONES * len(LADDER) * MOST_QUICK_ONES):
            pace.took(0.001)
        self.assertEqual(pace.wanted, Wanted("jpeg"))

    def test_a_client_that_asked_for_less_gets_no_more(self):
        pace = Pace(Wanted("jpeg", 600, 72))
        pace.took(2.0)
        self.assertEqual(pace.wanted, Wanted("jpeg", 600, 72))
        pace.took(2.0)
        pace.took(2.0)
        self.assertEqual(pace.wanted, Wanted("jpeg", 512, 70))


class AnswerTests(unittest.TestCase):
    def ask(self, path, board=None, **query):
        return asyncio.run(answer(board or Board(), path, query))

    def test_the_page_runs_its_own_script_alone(self):
        page = self.ask("")
        nonce = page.headers["Content-Security-Policy"].split("script-src 'nonce-")[1].split("'")[0]
        self.assertIn(f'<script nonce="{nonce}">'.encode(), page.body)
        self.assertNotIn(b"{nonce}", page.body)
        self.assertNotEqual(page.headers["Content-Security-Policy"], self.ask("").headers["Content-Security-Policy"])

    def test_every_answer_is_for_this_origin_and_for_now(self):
        for path in ("", "/runs", "/latest.jpg", "/nothing", "/picture"):
            found = self.ask(path)
            self.assertEqual(found.headers["Cross-Origin-Resource-Policy"], "same-origin", path)
            self.assertIn("no-store", found.headers["Cache-Control"], path)

    def test_what_makes_no_sense_is_refused_in_a_sentence(self):
        for path, query, words in (
                ("/latest.jpg", {"size": "-1"}, "size is '-1'; expected a whole number from 0 to 4096"),
                ("/latest.jpg", {"size": "9999"}, "9999"), ("/stream", {"quality": "\u0663"}, "quality"),
                ("/picture", {"run": "x"}, "run is 'x'"), ("/picture", {"run": "0-1", "encoding": "tiff"}, "tiff"),
                ("/picture", {"run": "0-1", "decoder": "a b"}, "decoder"), ("/picture", {"run": "0-1", "step": "1e9"}, "step")):
            with self.subTest(path=path, **query):
                found = self.ask(path, **query)
                self.assertEqual(found.status, 400)
                self.assertIn(words, found.body.decode())

    def test_what_is_not_there_is_not_found(self):
        for path, query in (("/latest.jpg", {}), ("/latest.exe", {}), ("/../secret", {}), ("/picture", {"run": "0-1", "step": "3"})):
            self.assertEqual(self.ask(path, **query).status, 404, path)

    def test_a_host_that_cannot_is_said_with_503(self):
        bridge = FakeBridge()
        bridge.fault = "the host is gone"
        board = Board(lambda: bridge)
        board.arrived(picture(encoding="png"))
        found = self.ask("/latest.webp", board)
        self.assertEqual((found.status, found.body), (503, b"the picture could not be made: the host is gone"))
        self.assertEqual(self.ask("/latest", board).media_type, "image/png")


class ServerTests(unittest.TestCase):
    def setUp(self):
        self.board = Board()
        self.server = serve(self.board)
        self.addCleanup(self.server.close)

    def get(self, target, method="GET", host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        self.addCleanup(connection.close)
        connection.request(method, target, headers={"Host": host} if host else {})
        return connection.getresponse()

    def path(self, path):
        return self.server.url_of(path).partition(str(self.server.port))[2]

    def test_who_knows_the_token_gets_the_page_and_nobody_else(self):
        self.assertEqual(self.get(self.path("")).status, 200)
        for target, words in ((ROOT, "token"), (f"{ROOT}?token=wrong", "token"), (self.path("").replace(ROOT, "/other"), ROOT)):
            found = self.get(target)
            self.assertIn(found.status, (403, 404))
            self.assertIn(words, found.read().decode())

    def test_another_sites_name_and_other_methods_are_refused(self):
        self.assertEqual(self.get(self.path(""), host=f"evil.example:{self.server.port}").status, 403)
        self.assertEqual(self.get(self.path(""), host="localhost").status, 200)
        self.assertEqual(self.get(self.path(""), method="POST").status, 405)

    def test_a_head_without_end_is_not_read_for_ever(self):
        with socket.create_connection(("127.0.0.1", self.server.port), 20) as client:
            with contextlib.suppress(ConnectionError):
                client.sendall(b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * (1 << 20))
                self.assertEqual(client.recv(1), b"")

    def test_the_newest_picture(self):
        self.board.arrived(picture(3))
        found = self.get(self.path("/latest.jpg"))
        self.assertEqual((found.read(), found.headers["Content-Type"], found.headers["X-LatentBridge-Step"]), (b"picture 3", "image/jpeg", "3"))

    def test_clients_that_never_read_cost_the_others_nothing(self):
        """Half of the clients stall at once. The others see each picture; what waits for the stalled is no more than one picture each."""
        data = bytes(256 << 10)
        stalled = [socket.create_connection(("127.0.0.1", self.server.port), 20) for _ in range(10)]
        for client in stalled:
            self.addCleanup(client.close)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(f"GET {self.path('/stream')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        pool = ThreadPoolExecutor(10)
        self.addCleanup(pool.shutdown)
        ready, seen = threading.Barrier(11, timeout=20), [[] for _ in range(10)]
        readers = [pool.submit(self.read_film, ready, steps, 30) for steps in seen]
        ready.wait()
        until(lambda: self.board.clients == 20)
        for step in range(30):
            self.board.arrived(picture(step, data=b"%04d" % step + data))
            until(lambda step=step: all(reader.done() or (steps and steps[-1] == step) for steps, reader in zip(seen, readers)))
        for reader in readers:
            reader.result(20)
        self.assertEqual(seen, [list(range(30))] * 10)
        self.server.close()
        self.assertEqual(self.board.clients, 0)

    def read_film(self, ready, steps, count):
        with contextlib.closing(self.get(self.path("/stream"))) as film:
            ready.wait()
            while len(steps) < count:
                line = film.readline()
                if line.startswith(b"Content-Length"):
                    film.readline()
                    data = film.read(int(line.split(b":")[1]))
                    steps.append(int(data[:4]))

    def test_no_more_clients_than_the_limit(self):
        self.addCleanup(setattr, boards, "MOST_CLIENTS", boards.MOST_CLIENTS)
        boards.MOST_CLIENTS = 2
        films = [self.get(self.path("/stream")) for _ in range(2)]
        until(lambda: self.board.clients == 2)
        found = self.get(self.path("/events"))
        self.assertEqual((found.status, found.read()), (503, b"2 clients are connected; close some"))
        for one in films:
            one.close()


class FrameworkTests(unittest.TestCase):
    """A1111's servers, by way of ASGI, with the real FastAPI where there is one."""

    def setUp(self):
        try:
            import fastapi
            from latentbridge.integrations.a1111 import live
        except ImportError as missing:
            self.skipTest(str(missing))
        self.fastapi, self.live, self.board = fastapi, live, Board()

    def app(self, *, user=None, with_login=True, has_api_password=False):
        """One with a login as gradio has it."""
        app = self.fastapi.FastAPI()

        def current_user():
            return user

        def login_check(user: str = self.fastapi.Depends(current_user)):  # noqa: B008 - as gradio writes it
            if user is None:
                raise self.fastapi.HTTPException(401, "Not authenticated")

        if with_login:
            app.add_api_route("/login_check", login_check)
        self.is_there = self.live.add(app, self.board, has_api_password)
        return app

    def ask(self, app, path, pieces=1):
        """Status, headers and the first pieces of the body."""
        sent = []

        async def go():
            left = asyncio.Event()
            body = [{"type": "http.request", "body": b"", "more_body": False}]

            async def receive():
                if body:
                    return body.pop()
                await left.wait()
                return {"type": "http.disconnect"}

            async def send(message):
                sent.append(message)
                if len(sent) > pieces:
                    left.set()
                    await asyncio.sleep(0)

            path_only, _, query = path.partition("?")
            scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path_only,
                     "raw_path": path_only.encode(), "query_string": query.encode(), "root_path": "", "headers": [(b"accept-encoding", b"gzip")],
                     "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
            await asyncio.wait_for(app(scope, receive, send), 20)

        asyncio.run(go())
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], headers, [message.get("body", b"") for message in sent[1:]]

    def test_who_may_see_the_ui_sees_the_live_view(self):
        self.board.arrived(picture(5))
        status, headers, body = self.ask(self.app(user="me"), f"{ROOT}/latest.jpg")
        self.assertEqual((status, headers["content-type"], b"".join(body)), (200, "image/jpeg", b"picture 5"))
        status, headers, body = self.ask(self.app(user="me"), ROOT)
        self.assertEqual((status, headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertEqual(self.ask(self.app(user="me"), f"{ROOT}/latest.jpg?size=x")[0], 400)

    def test_who_is_not_logged_in_sees_nothing(self):
        self.board.arrived(picture())
        for path in ("", "/latest.jpg", "/stream", "/events", "/runs"):
            self.assertEqual(self.ask(self.app(), ROOT + path)[0], 401, path)

    def test_an_api_with_a_password_and_no_page_offers_none(self):
        app = self.app(with_login=False, has_api_password=True)
        self.assertFalse(self.is_there)
        self.assertEqual(self.ask(app, ROOT)[0], 404)
        self.app(with_login=False)
        self.assertTrue(self.is_there)

    def test_a_film_is_packed_by_no_middleware_and_ends_with_its_client(self):
        from starlette.middleware.gzip import GZipMiddleware

        self.board.arrived(picture(5, data=bytes(4000)))
        app = self.app(user="me")
        app.add_middleware(GZipMiddleware, minimum_size=1000)
        status, headers, pieces = self.ask(app, f"{ROOT}/stream", pieces=2)
        self.assertEqual((status, headers["content-type"], headers["content-encoding"]), (200, "multipart/x-mixed-replace; boundary=latentbridge", "identity"))
        self.assertIn(bytes(4000), b"".join(pieces))
        self.assertEqual(self.board.clients, 0)


class BridgeEncodeTests(BridgeTestCase):
    def test_a_picture_is_encoded_once_more(self):
        bridge = self.bridge()
        self.show(bridge)
        first = bridge.encode(encoding="jpeg", size=256)
        self.assertEqual((first.run, first.step, first.decoder), (0, 0, "sha256"))
        self.assertNotEqual(first.data, bridge.encode(encoding="jpeg", size=128).data)

    def test_without_a_picture_or_a_host_the_error_says_so(self):
        with self.assertRaisesRegex(BridgeError, "no host"):
            self.bridge().encode()
        bridge = self.bridge()
        self.assertTrue(bridge.start(20))
        with self.assertRaisesRegex(BridgeError, "no picture yet"):
            bridge.encode()
        with self.assertRaises(ValueError):
            bridge.encode(quality=1000)

    def test_image_slots_grow_for_it(self):
        bridge = self.bridge("copy-needed=8000000")
        _, preview = self.show(bridge)
        self.assertEqual(bridge.encode().sequence, preview.sequence)


if __name__ == "__main__":
    unittest.main()
