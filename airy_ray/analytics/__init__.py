"""What people evaluate: conversations, messages, contacts and events as Parquet files."""
