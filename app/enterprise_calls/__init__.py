"""Work calls on mobiles and in Teams become phone-call activities (administrator guide, "Enterprise Calls")."""
