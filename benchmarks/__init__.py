"""One module per claim; each measures its own baseline in the same run."""
