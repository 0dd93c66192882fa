"""The second way in: Pulumi's own engine, against the same handlers, through a provider that lives in the supervisor."""
