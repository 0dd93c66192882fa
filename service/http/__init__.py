"""HTTP around the routes: middleware, problem details, request bodies, the OpenAPI document."""
