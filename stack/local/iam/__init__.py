"""IAM on this machine: policy documents are checked, not enforced."""
