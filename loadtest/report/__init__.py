"""What a measurement of the cold-start lab looks like: pictures, tables, and one page with both."""
