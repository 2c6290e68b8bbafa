"""Swagger UI at `/docs`, from files installed with the service: no other host is asked for anything.

The page, its style and its scripts obey a content policy without any inline script, so that it can be served in a
network without internet and behind a proxy that adds a policy of its own.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from app.web.openapi import complete_openapi
from app.web.sign_in import SignIn

__all__ = ["add_documentation"]

_CONNECT: Final = "connect-src 'self'"
_START_PATH: Final = "/docs/start.js"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    f"{_CONNECT}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Smart routing: try it</title>
<link rel="icon" type="image/svg+xml" href="docs/icon.svg">
<link rel="stylesheet" href="docs/swagger/swagger-ui.css">
<script src="docs/swagger/swagger-ui-bundle.js" defer></script>
<script src="docs/start.js" defer></script>
</head>
<body><div id="documentation"></div></body>
</html>
"""

_START = """const ui = SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#documentation",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  oauth2RedirectUrl: new URL("docs/oauth2-redirect", document.baseURI).href,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""

_REDIRECT_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Signing in</title>
<script src="oauth2-redirect.js" defer></script>
</head>
<body><p>You may close this window.</p></body>
</html>
"""

_REDIRECT = """const request = window.opener && window.opener.swaggerUIRedirectOauth2;
if (request) {
  const answer = new URLSearchParams(window.location.search);
  const code = answer.get("code");
  const fail = (message) =>
    request.errCb({ authId: request.auth.name, source: "auth", level: "error", message });
  if (answer.get("state") !== request.state) {
    fail("The answer does not belong to this sign-in (its state differs).");
  } else if (code) {
    delete request.state;
    request.auth.code = code;
    request.callback({ auth: request.auth, redirectUrl: request.redirectUrl });
  } else {
    fail(answer.get("error_description") || answer.get("error") || "No code was given.");
  }
  window.close();
}
"""

_ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
<rect width="16" height="16" rx="3" fill="#16537e"/>
<path d="M2.5 8h4l4-4H13M6.5 8l4 4H13" fill="none" stroke="#fff" stroke-width="1.6"/>
</svg>
"""

_HEADERS: Final = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}

_TEXTS: Final = {
    "/docs": (_PAGE, "text/html"),
    _START_PATH: (_START, "text/javascript"),
    "/docs/icon.svg": (_ICON, "image/svg+xml"),
    "/docs/oauth2-redirect": (_REDIRECT_PAGE, "text/html"),
    "/docs/oauth2-redirect.js": (_REDIRECT, "text/javascript"),
}


def add_documentation(app: FastAPI, *, models: Sequence[type[BaseModel]] = (), sign_in: SignIn | None = None) -> None:
    """Serve the documentation of `app`, which must have been made with `docs_url=None, redoc_url=None`.

    The OpenAPI document is expected at `/openapi.json`, and is completed with error bodies, roles and `models` on the
    way. With `sign_in` people can sign in there at their issuer; the pages may speak to nobody else.
    """
    complete_openapi(app, models=models, sign_in=sign_in)
    texts = _TEXTS if sign_in is None else _TEXTS | {_START_PATH: (_START + sign_in.write_start(), "text/javascript")}
    for path, (text, media_type) in texts.items():
        app.add_api_route(path, _serve(text, media_type, sign_in), include_in_schema=False, response_model=None)
    app.add_api_route("/", _lead_to_documentation, include_in_schema=False, response_model=None)
    app.mount("/docs/swagger", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="swagger")


async def _lead_to_documentation() -> Response:
    """Send whoever opens the address in a browser on; relatively, as a proxy may serve us below another path."""
    headers = {"Content-Security-Policy": POLICY, **_HEADERS}
    return Response(status_code=307, headers=headers | {"Location": "docs"})


def _serve(text: str, media_type: str, sign_in: SignIn | None) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        # The issuer's endpoints are not known from the start.
        policy = _write_policy(sign_in)
        return Response(text, headers={"Content-Security-Policy": policy, **_HEADERS}, media_type=media_type)

    return serve


def _write_policy(sign_in: SignIn | None) -> str:
    return POLICY if sign_in is None else POLICY.replace(_CONNECT, " ".join([_CONNECT, *sign_in.list_origins()]))
