"""What people and other tools are told of inventories: reports, policy, notices, queries."""
