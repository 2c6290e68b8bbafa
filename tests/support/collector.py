"""A collector of OpenTelemetry on loopback: takes what is exported over OTLP/HTTP, and keeps it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

__all__ = ["Collector", "open_collector"]


@dataclass(slots=True)
class Collector:
    """What was exported."""

    url: str
    exports: list[tuple[str, bytes]] = field(default_factory=list)
    """Path and body of each request."""

    def read_spans(self) -> list[dict[str, Any]]:
        """Read the spans in the order in which they were exported."""
        return [
            {
                "name": span.name,
                "kind": span.kind,
                "trace": span.trace_id.hex(),
                "id": span.span_id.hex(),
                "parent": span.parent_span_id.hex(),
                "state": span.trace_state,
                "start": span.start_time_unix_nano,
                "end": span.end_time_unix_nano,
                "attributes": _read_attributes(span.attributes),
            }
            for resource in self._read_resources()
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def read_service(self) -> dict[str, Any]:
        """Read what the exporter says about itself."""
        return _read_attributes(self._read_resources()[0].resource.attributes)

    def _read_resources(self) -> list[Any]:
        return [
            resource
            for path, body in self.exports
            if path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        ]


def _read_attributes(pairs: list[KeyValue]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def open_collector() -> Iterator[Collector]:
    """Serve a collector that takes everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.exports.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
