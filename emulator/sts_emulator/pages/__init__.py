"""What every page shares: routes, the guard, a visit's life, rendering, browser sessions, mail to people, approvals."""
