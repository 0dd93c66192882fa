"""The dashboard on one machine: built as Vercel would build it, and served at an origin of its own."""

from local.site.builder import SiteBuilder
from local.site.server import SiteServer

__all__ = ["SiteBuilder", "SiteServer"]
