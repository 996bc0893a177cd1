"""User pools of Amazon Cognito: an app's own users sign in here, and are given tokens that others verify."""
