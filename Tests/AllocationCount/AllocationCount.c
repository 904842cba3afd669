#define _GNU_SOURCE
#include "AllocationCount.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// What glibc's own names stand for, and stay.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum { kept_limit = 64, frame_limit = 16 };

static __thread int is_counting;
static __thread long count;
static __thread long library_count;
static uintptr_t library_start, library_end;
static void *frames[kept_limit][frame_limit];
static int frame_counts[kept_limit];

// Frames 0 and 1 are `note` and the function in malloc's place.
static int is_in_library(void **callers, int caller_count) {
  for (int i = 2; i < caller_count; i += 1) {
    uintptr_t address = (uintptr_t)callers[i];
    if (address >= library_start && address < library_end) return 1;
  }
  return 0;
}

static void note(void) {
  if (!is_counting) return;
  // backtrace may allocate; that is not counted.
  is_counting = 0;
  void *callers[frame_limit];
  int caller_count = backtrace(callers, frame_limit);
  if (is_in_library(callers, caller_count)) {
    library_count += 1;
  } else {
    if (count < kept_limit) {
      memcpy(frames[count], callers, sizeof callers);
      frame_counts[count] = caller_count;
    }
    count += 1;
  }
  is_counting = 1;
}

static int find_library(struct dl_phdr_info *info, size_t size, void *name) {
  (void)size;
  if (strstr(info->dlpi_name, name) == NULL) return 0;
  for (int i = 0; i < info->dlpi_phnum; i += 1) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type != PT_LOAD || !(header->p_flags & PF_X)) continue;
    library_start = info->dlpi_addr + header->p_vaddr;
    library_end = library_start + header->p_memsz;
  }
  return 1;
}

void *malloc(size_t size) {
  note();
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  note();
  return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
  note();
  return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
  note();
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  note();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  note();
  void *memory = __libc_memalign(alignment, size);
  if (memory == NULL) return ENOMEM;
  *result = memory;
  return 0;
}

void allocation_count_start(const char *library) {
  library_start = library_end = 0;
  dl_iterate_phdr(find_library, (void *)library);
  // The first backtrace loads a library.
  void *frame[1];
  backtrace(frame, 1);
  count = 0;
  library_count = 0;
  is_counting = 1;
}

long allocation_count_stop(void) {
  is_counting = 0;
  return count;
}

long allocation_count_library(void) { return library_count; }

int allocation_count_kept(void) { return count < kept_limit ? (int)count : kept_limit; }

long allocation_byte_count(void) { return (long)mallinfo2().uordblks; }

static int find(int allocation, int frame, Dl_info *info) {
  int index = frame + 2;
  return allocation < allocation_count_kept() && index < frame_counts[allocation]
    && dladdr(frames[allocation][index], info) != 0;
}

const char *allocation_count_caller(int allocation, int frame) {
  Dl_info info;
  return find(allocation, frame, &info) ? info.dli_fname : NULL;
}

const char *allocation_count_function(int allocation, int frame) {
  Dl_info info;
  return find(allocation, frame, &info) ? info.dli_sname : NULL;
}
