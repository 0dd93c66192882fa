"""Emulates Vercel locally: builds the site as Vercel would, and serves it at its own origin."""
