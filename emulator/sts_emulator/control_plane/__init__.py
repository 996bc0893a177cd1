"""What every control plane does alike: reach a resource, list many in pages, tag them."""
