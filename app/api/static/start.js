// Shows the service's own OpenAPI document. A file of its own, because the page's policy allows no script in the page.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  operationsSorter: (one, other) => one.get("path").localeCompare(other.get("path")),
  persistAuthorization: false,
  tryItOutEnabled: false,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
