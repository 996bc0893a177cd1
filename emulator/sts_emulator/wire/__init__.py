"""Bytes to typed calls and back, generated from AWS's own service models; knows no AWS behaviour."""
