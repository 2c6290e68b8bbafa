"""What stands in for the network: an organisation in this process, or any other transport of httpx."""

import httpx

from app.dataverse.wire import Request, Response, read_body

__all__ = ["Substitute"]


class Substitute:
    """Carries requests over a transport of httpx; errors are those of httpx."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def send(self, request: Request) -> Response:
        """Exchange one request."""
        response = await self._transport.handle_async_request(
            httpx.Request(request.method, request.url, headers=request.headers, content=request.body)
        )
        try:
            body = await read_body(response.status_code, response.aiter_bytes())
            return Response(response.status_code, response.headers, body)
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()
