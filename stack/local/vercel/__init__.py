"""The dashboard on one machine: built as Vercel would build it, and served at an origin of its own."""
