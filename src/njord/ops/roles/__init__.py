"""Roles: processes beside the platform, which hear of it through the bus and can come and go without it."""
