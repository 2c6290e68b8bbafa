"""What Swagger UI may speak to while somebody signs in."""

import httpx
from fastapi import FastAPI

from app.auth.issuer import IssuerMetadata
from app.auth.sign_in import SignIn
from app.web.documentation import add_documentation

ISSUER = "https://sts.example/tenant/"
METADATA = IssuerMetadata(
    issuer=ISSUER,
    jwks_uri="https://login.example/keys",
    authorization_endpoint="https://login.example/authorize",
    token_endpoint="https://login.example/token",
    supports_pkce=True,
)


async def test_the_policy_follows_the_token_endpoint() -> None:
    """An issuer may give tokens out at another host than its own; nobody knows before its discovery was read."""
    sign_in = SignIn(issuer=ISSUER, client_id="swagger", scopes=["openid"])
    app = FastAPI(openapi_url=None)
    add_documentation(app, sign_in=sign_in)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        before = await client.get("/docs")
        sign_in.learn_from(lambda: METADATA)
        after = await client.get("/docs")

    assert "connect-src 'self' https://sts.example;" in before.headers["Content-Security-Policy"]
    assert "connect-src 'self' https://login.example https://sts.example;" in after.headers["Content-Security-Policy"]


async def test_the_redirect_page_runs_under_its_policy() -> None:
    """It hands the code to the page that opened it with a script of our own, and checks whose answer it is."""
    app = FastAPI(openapi_url=None)
    add_documentation(app, sign_in=SignIn(issuer=ISSUER, client_id="swagger", scopes=["openid"]))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        page = await client.get("/docs/oauth2-redirect", params={"code": "c", "state": "s"})
        script = await client.get("/docs/oauth2-redirect.js")

    assert 'src="oauth2-redirect.js"' in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "request.state" in script.text
    assert "Cross-Origin-Opener-Policy" not in page.headers
