"""The schema, as statements in their order. Append to it; what was deployed stays as it is."""

MIGRATIONS = ("CREATE TABLE visits (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",)
