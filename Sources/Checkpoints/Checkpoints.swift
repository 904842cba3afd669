// Checkpoints: see the module table of the design notes.
