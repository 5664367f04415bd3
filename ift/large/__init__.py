"""Picture files that fit no memory: laid down as raw pixels once, and written from them, in constant memory."""
