"""A look-up provider on 127.0.0.1 that speaks the shape of WhatsApp's `/v1/contacts`.

Every number is on WhatsApp, except those that end in 9. It remembers what it was asked.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeProvider:
    """Runs while its block runs."""

    def __init__(self):
        self.asked = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def handler(self):
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked.extend(body["contacts"])
                contacts = [self.contact(number) for number in body["contacts"]]
                reply = json.dumps({"contacts": contacts}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            @staticmethod
            def contact(number):
                if number.endswith("9"):
                    return {"input": number, "status": "invalid"}
                return {"input": number, "status": "valid", "wa_id": number.lstrip("+")}

            def log_message(self, *_):
                pass

        return Handler

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
