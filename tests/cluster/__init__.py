"""What only a cluster can show. A package, so that its Ray ends with it."""
