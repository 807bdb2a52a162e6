"""A partner's servers as a process of their own: takes notifications, says each as a line of JSON, answers as the contract wants.

`python -m tests.loopback.notified [CERTIFICATE KEY]`, over TLS where it has these; a path with `refuse`, `hang`, `die` or `busy` in it
does that.
"""

import json
import re
import socket
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_OPERATION = re.compile(rb"<soap:Body><(\w+) xmlns=\"([^\"]+)\"")


class Taker(BaseHTTPRequestHandler):
    """Answers one notification."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = _OPERATION.search(body)
        operation, namespace = (found[1].decode(), found[2].decode()) if found else ("", "")
        line = {"path": self.path, "action": self.headers["SOAPAction"], "operation": operation, "body": body.decode()}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        if "hang" in self.path:
            time.sleep(20)
        if "die" in self.path:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, inside = 200, f'<{operation}Response xmlns="{namespace}"/>'
        if "refuse" in self.path:
            status, inside = 500, "<soap:Fault><faultcode>soap:Client</faultcode><faultstring>unknown meter</faultstring></soap:Fault>"
        if "busy" in self.path:
            status, inside = 503, ""
        answer = f'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{inside}</soap:Body></soap:Envelope>'
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing of it."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    if sys.argv[1:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[1:])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
