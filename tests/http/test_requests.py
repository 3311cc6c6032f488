#!/usr/bin/env python3
"""Requests of all forms, right and wrong.

usage: test_requests.py SERVER SCRIPTS

SPDX-License-Identifier: MIT
"""
from server import Case, get, main, post


class Right(Case):
    def test_one(self):
        answer = self.server.get("/hello")
        self.assertEqual((answer.status, answer.body), (200, b"hello\n"))
        self.assertEqual(answer.fields["Connection"], "close")
        self.assertRegex(answer.fields["Date"], r"^\w{3}, \d\d \w{3} \d{4} ")

    def test_connection_is_kept(self):
        with self.server.connect() as client:
            for _ in range(3):
                client.send(get("/hello").encode())
                answer = client.read()
                self.assertEqual(answer.body, b"hello\n")
                self.assertNotIn("Connection", answer.fields)

    def test_old_version_closes(self):
        answer = self.server.ask("GET /hello HTTP/1.0\r\n\r\n")
        self.assertEqual(answer.fields["Connection"], "close")

    def test_old_version_is_kept_on_request(self):
        with self.server.connect() as client:
            for _ in range(2):
                client.send(b"GET /hello HTTP/1.0\r\n"
                            b"Connection: keep-alive\r\n\r\n")
                self.assertEqual(client.read().fields["Connection"],
                                 "keep-alive")

    def test_pipelined(self):
        urls = ["/hello", "/nothing", "/hello"] * 100
        with self.server.connect() as client:
            client.send("".join(map(get, urls)).encode())
            statuses = [client.read().status for _ in urls]
        self.assertEqual(statuses, [200, 404, 200] * 100)

    def test_pipelined_after_the_last_one(self):
        with self.server.connect() as client:
            client.send((get("/hello", "Connection: close") + get("/hello"))
                        .encode())
            self.assertEqual(client.read().status, 200)
            self.assertTrue(client.is_closed())

    def test_pipelined_bodies(self):
        with self.server.connect() as client:
            client.send("".join(post("/echo", "x" * n) for n in range(200))
                        .encode())
            bodies = [client.read().body for _ in range(200)]
        self.assertEqual(bodies, [b"x" * n for n in range(200)])

    def test_head_has_no_body(self):
        with self.server.connect() as client:
            client.send(b"HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n" +
                        get("/hello").encode())
            answer = client.read(has_body=False)
            self.assertEqual(answer.fields["Content-Length"], "6")
            self.assertEqual(client.read().body, b"hello\n")

    def test_body(self):
        answer = self.server.ask(post("/echo", "abc", "Connection: close"))
        self.assertEqual(answer.body, b"abc")

    def test_chunked_body(self):
        answer = self.server.ask(
            "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            "Transfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n5;note=x\r\ndefgh\r\n0\r\nTrailer: y\r\n\r\n")
        self.assertEqual(answer.body, b"abcdefgh")

    def test_large_answer(self):
        for size in 200, 20000, 1000000:
            answer = self.server.get("/large?%d" % size)
            self.assertEqual((answer.status, len(answer.body)), (200, size))
        self.assertEqual(self.server.get("/large?2000000").status, 507)

    def test_expect(self):
        with self.server.connect() as client:
            client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\n"
                        b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            self.assertEqual(client.read_head()[0], 100)
            client.send(b"abc")
            self.assertEqual(client.read().body, b"abc")

    def test_expect_of_a_client_that_does_not_wait(self):
        with self.server.connect() as client:
            client.send(post("/echo", "abc", "Expect: 100-continue").encode())
            self.assertEqual(client.read().body, b"abc")

    def test_upgrade_is_ignored(self):
        answer = self.server.ask(get("/hello", "Connection: upgrade, close",
                                     "Upgrade: h2c"))
        self.assertEqual(answer.body, b"hello\n")

    def test_url_of_a_proxy(self):
        answer = self.server.ask(get("http://x/large?5", "Connection: close"))
        self.assertEqual(answer.body, b"01234")

    def test_empty_lines_before_a_request(self):
        answer = self.server.ask("\r\n\r\n" + get("/hello",
                                                  "Connection: close"))
        self.assertEqual(answer.status, 200)


class Wrong(Case):
    options = ("--max-body", "1000")

    def assert_refused(self, text, status):
        answer = self.server.ask(text)
        self.assertEqual(answer.status, status, text)
        self.assertEqual(answer.fields["Connection"], "close")
        self.assert_serves()

    def test_no_http(self):
        self.assert_refused("hello\r\n\r\n", 400)

    def test_no_host(self):
        self.assert_refused("GET /hello HTTP/1.1\r\n\r\n", 400)
        self.assert_refused(get("/hello", "Host: y"), 400)

    def test_versions(self):
        self.assert_refused("GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", 505)
        self.assert_refused("GET /hello HTTP/1.7\r\nHost: x\r\n\r\n", 505)
        self.assert_refused("GET /hello\r\n\r\n", 505)

    def test_connect(self):
        self.assert_refused("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501)

    def test_expectation(self):
        self.assert_refused(post("/echo", "abc", "Expect: wonders"), 417)

    def test_two_lengths(self):
        self.assert_refused(post("/echo", "abc", "Content-Length: 4"), 400)
        self.assert_refused(post("/echo", "abc", "Transfer-Encoding: chunked"),
                            400)

    def test_folded_field(self):
        self.assert_refused(get("/hello", "X-Long: a\r\n b"), 400)

    def test_bad_chunk(self):
        self.assert_refused("POST /echo HTTP/1.1\r\nHost: x\r\n"
                            "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400)

    def test_long_header(self):
        self.assert_refused(get("/hello", "X-Long: " + "x" * 100000), 431)

    def test_many_fields(self):
        self.assert_refused(get("/hello", *["X-%d: y" % n for n in range(64)]),
                            431)

    def test_long_url(self):
        self.assert_refused(get("/" + "x" * 100000), 414)

    def test_long_body(self):
        self.assert_refused(post("/echo", "x" * 1001), 413)
        self.assert_refused(post("/echo", "x" * 1000000), 413)
        answer = self.server.ask(post("/echo", "x" * 1000,
                                      "Connection: close"))
        self.assertEqual(answer.status, 200)

    def test_long_body_in_chunks(self):
        self.assert_refused("POST /echo HTTP/1.1\r\nHost: x\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n" +
                            "100\r\n" + ("x" * 256 + "\r\n100\r\n") * 10, 413)

    def test_long_body_is_refused_before_it_is_sent(self):
        self.assert_refused("POST /echo HTTP/1.1\r\nHost: x\r\n"
                            "Expect: 100-continue\r\n"
                            "Content-Length: 1001\r\n\r\n", 413)

    def test_method(self):
        for text, allowed in ((post("/hello", "", "Connection: close"),
                               "GET, HEAD"),
                              (get("/echo", "Connection: close"), "POST")):
            answer = self.server.ask(text)
            self.assertEqual((answer.status, answer.fields["Allow"]),
                             (405, allowed))


main()
