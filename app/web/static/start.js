const ui = SwaggerUIBundle({
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
