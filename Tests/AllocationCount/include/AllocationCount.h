// Counts the allocations of the calling thread, by taking the place of malloc in the program that
// links this. For a program of its own: the tests themselves do not link it.
#ifndef ALLOCATION_COUNT_H
#define ALLOCATION_COUNT_H

/// Starts to count on the calling thread, from zero.
///
/// What is allocated under a function of `library`, a part of the name of a shared library, is counted
/// apart.
void allocation_count_start(const char *library);

/// Stops, and returns the number of allocations since the start, but for those of the library.
long allocation_count_stop(void);

/// The number of allocations of the library.
long allocation_count_library(void);

/// The bytes that the program holds in allocated blocks.
long allocation_byte_count(void);

/// The number among them, at most 64, whose callers were kept.
int allocation_count_kept(void);

/// The name of the library or program that holds one of the nearest callers of a kept allocation,
/// or null beyond the last of them.
const char *allocation_count_caller(int allocation, int frame);

/// The name of the function of that caller, or null where it has no exported name.
const char *allocation_count_function(int allocation, int frame);

#endif
