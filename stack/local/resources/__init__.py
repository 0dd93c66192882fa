"""The base of every resource handler: property values, the store, schemas, ARNs, the Pulumi SDK."""
