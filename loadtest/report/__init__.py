"""The report of the cold-start lab: pictures, tables, and one page with both."""
