"""Updates of Voice for Dynamics 365: what is installed where, which releases there are, and plans to install one."""
