"""Routes of Google Cloud VPC networks as a wgfo route provider."""
