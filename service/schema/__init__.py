"""The data model: columns, limits, tables, request and response models."""
