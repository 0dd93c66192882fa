"""Local IAM: policy documents are checked, not enforced."""
