"""`stack pulumi`: Pulumi's own engine deploys to the local cloud.

The supervisor serves a gRPC provider to it, which uses the same resource handlers as `stack up`.
"""
