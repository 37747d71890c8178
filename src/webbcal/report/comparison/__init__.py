"""Two products beside each other: how they were made, their keywords, their arrays (see docs/reports.md)."""
