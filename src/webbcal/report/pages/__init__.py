"""Pages of products: one self-contained HTML file an exposure or association (see docs/reports.md)."""
