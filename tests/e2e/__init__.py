"""The platform from outside. A package, so that its platforms end with it."""
