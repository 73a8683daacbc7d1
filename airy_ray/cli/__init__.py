"""The command `airy-ray`: one module per command."""

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    from airy_ray.cli.app import app

    app()
