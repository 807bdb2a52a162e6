"""Master data: what partners and files say of meters, service locations, accounts and customers, and what follows from it. Pure."""
