"""JSON Web Tokens, checked: their form, their signature, their issuer's keys and their claims."""
