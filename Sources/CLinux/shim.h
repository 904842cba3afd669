// What Linux offers beyond the C library's headers as Swift sees them. No logic.
#ifndef CLINUX_SHIM_H
#define CLINUX_SHIM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Makes a file that lies in memory alone and ends with the last process that holds it; close-on-exec.
static inline int clinux_memory_file(const char *name) {
  return (int)syscall(SYS_memfd_create, name, 1u);
}

/// Sleeps while the word, which may lie in memory of several processes, has this value.
static inline void clinux_futex_wait(const void *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT, value, (void *)0, (void *)0, 0);
}

/// Wakes all threads, of any process, that sleep on the word.
static inline void clinux_futex_wake_all(const void *word) {
  syscall(SYS_futex, word, FUTEX_WAKE, 0x7fffffff, (void *)0, (void *)0, 0);
}

/// Tells the core that this thread waits in a loop.
static inline void clinux_spin_hint(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
