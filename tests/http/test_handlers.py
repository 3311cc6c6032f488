#!/usr/bin/env python3
"""Handlers that fail, and those beside them.

usage: test_handlers.py SERVER SCRIPTS

SPDX-License-Identifier: MIT
"""
import threading

from server import Case, get, main, post

# Words of the report of each.
FAILURES = {
    "/null": "null pointer access",
    "/overflow": "stack overflow",
    "/loop": "time limit passed",
    "/eat": "null pointer access",
    "/lua/crash": "null pointer access",
    "/lua/overflow": "stack overflow",
    "/lua/loop": "time limit passed",
    "/lua/eat": "not enough memory",
    "/lua/error": "error.lua:2: a mistake",
}


class Failures(Case):
    def failing(self, url):
        """Returns the report of a request that fails."""
        answer = self.server.get(url)
        self.assertEqual(answer.status, 500)
        word, number = answer.body.decode().split()
        self.assertEqual(word, "report")
        return number

    def test_each_has_a_report(self):
        for url, words in FAILURES.items():
            number = self.failing(url)
            self.assertIn(words, self.server.report(number))
            line, = [line for line in self.server.log().splitlines()
                     if line.startswith("report %s: " % number)]
            self.assertIn("GET %s: " % url, line)
            self.assertIn(words, line)
            self.assert_serves()

    def test_numbers_differ(self):
        numbers = {self.failing("/null") for _ in range(20)}
        self.assertEqual(len(numbers), 20)

    def test_reports_of_two_bugs_in_turn(self):
        for _ in range(3):
            for url in "/null", "/lua/crash", "/null", "/overflow":
                self.assertIn(FAILURES[url],
                              self.server.report(self.failing(url)))
        log = self.server.log()
        for function, count in ("in follow_null", 6), ("in crash", 3):
            self.assertEqual(log.count(function), count, log)

    def test_connection_goes_on(self):
        with self.server.connect() as client:
            client.send("".join(get(url) + get("/hello")
                                for url in FAILURES).encode())
            for _ in FAILURES:
                self.assertEqual(client.read().status, 500)
                self.assertEqual(client.read().status, 200)

    def test_report_names_the_scripts_functions(self):
        text = self.server.report(self.failing("/lua/crash"))
        for function, line in ("inner", 3), ("outer", 7):
            self.assertRegex(text, r"lua crash\.lua:%d in %s" % (line, function))

    def test_report_says_where_a_loop_was(self):
        text = self.server.report(self.failing("/loop"))
        self.assertRegex(text, r"\n  \S+ loop at .*handlers\.c:\d+\n")
        text = self.server.report(self.failing("/lua/loop"))
        self.assertRegex(text, r"\n  lua main at loop\.lua:1\n")

    def test_url_cannot_steer_a_terminal(self):
        with self.server.connect() as client:
            client.send(b"GET /lua/error?\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n")
            client.read()
        self.assertNotIn("\x1b", self.server.log())

    def test_others_are_served_meanwhile(self):
        """Between the slices of those that loop."""
        loops = [threading.Thread(target=self.failing, args=("/loop",))
                 for _ in range(4)]
        for loop in loops:
            loop.start()
        for _ in range(20):
            self.assert_serves()
        for loop in loops:
            loop.join()

    def test_one_in_a_hundred(self):
        with self.server.connect() as client:
            client.send(get("/sometimes").encode() * 1000)
            statuses = [client.read().status for _ in range(1000)]
        self.assertEqual(statuses, ([200] * 99 + [500]) * 10)


class Waiting(Case):
    options = ("--answer-time", "0.5")

    def test_handler_that_waits_too_long(self):
        for url in "/slow?600000", "/lua/sleep?60":
            answer = self.server.get(url)
            self.assertEqual(answer.status, 500)
            self.assertIn("no answer in time",
                          self.server.report(answer.body.decode().split()[1]))


class Lua(Case):
    def test_answer(self):
        self.assertEqual(self.server.get("/lua/hello").body,
                         b"hello from Lua 5.4\n")

    def test_request(self):
        answer = self.server.ask(post("/lua/echo?a=b", "text",
                                      "User-Agent: test",
                                      "Connection: close"))
        self.assertEqual(answer.body,
                         b"POST /lua/echo a=b\nfrom test\ntext")

    def test_unknown_script(self):
        for name in "nothing", "hello.lua", "../lua/hello", "":
            self.assertEqual(self.server.get("/lua/" + name).status, 404)

    def test_interpreters_are_apart(self):
        """What one script leaves in its heap the next one does not find."""
        for _ in range(50):
            self.server.get("/lua/eat")
            self.assertEqual(self.server.get("/lua/hello").status, 200)

    def test_waiting_scripts(self):
        """More of them wait than heaps are kept."""
        clients = [self.server.connect() for _ in range(100)]
        for client in clients:
            client.send(get("/lua/sleep?0.5").encode())
        self.assert_serves()
        for client in clients:
            self.assertEqual(client.read().body, b"awake\n")
            client.socket.close()


main()
