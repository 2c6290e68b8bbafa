const request = window.opener && window.opener.swaggerUIRedirectOauth2;
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
