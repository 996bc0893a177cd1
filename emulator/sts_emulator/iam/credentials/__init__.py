"""What proves who a user is: keys, passwords, devices and credentials of single services."""
