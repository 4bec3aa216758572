"""VPC route tables as a wgfo route provider."""
