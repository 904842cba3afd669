// HDF5: see the module table of the design notes.
