"""HTTP around the routes: middleware, problem details, conditional requests, request bodies, the OpenAPI document."""
