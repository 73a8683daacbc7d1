"""Outbound webhooks: which events go to whom, signed how, in what order, and when again."""
