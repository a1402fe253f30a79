"""An Azure Resource Manager of an Azure that has no subscriptions, on loopback, which notes the tokens that it is shown."""

import http.server
import ssl
import subprocess
import tempfile
import threading

# The name by which it is found: the pod has it lead to loopback.
NAME = "management.azure.com"


class ResourceManager:
    """Serves as long as it is entered. A client trusts it by the file certificate."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        self.certificate = self._folder.name + "/ca.pem"
        key = self._folder.name + "/key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=" + NAME]
            + ["-addext", "subjectAltName=DNS:" + NAME, "-keyout", key, "-out", self.certificate],
            check=True,
            capture_output=True,
        )
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 443), _Handler)
        self._server.shown = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._folder.cleanup()

    def take_token(self) -> str:
        """Gives the token that was shown since the last time, or nothing."""
        token = self._server.shown[-1] if self._server.shown else ""
        self._server.shown.clear()
        return token


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers every list with an empty one, to whoever shows a token."""

    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        body = b'{"value": []}'
        self.send_response(200 if scheme == "Bearer" else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if scheme == "Bearer":
            self.server.shown.append(token)

    def log_message(self, *_):
        """Says nothing: the output of this program is read by another one."""
