"""The Feast repository: `feast apply` here registers what the spec's catalogue says."""
