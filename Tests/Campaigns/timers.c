/* Preloaded: timers of 1 kHz with handlers of its own, as sampling profilers have them.
 *
 * TIMERS=process: one timer of the process, a handler on whatever stack there is. TIMERS=threads: a timer for each thread,
 * whose signal no thread can block, a handler on the alternate stack. At exit TIMERS_LOG gets the number of handlers
 * that ran on an alternate stack and on the plain one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile long alternate, plain;
static int of_threads;

static void handle(int number) {
  stack_t stack;
  sigaltstack(NULL, &stack);
  __atomic_add_fetch(stack.ss_flags & SS_ONSTACK ? &alternate : &plain, 1, __ATOMIC_RELAXED);
}

static void time_this_thread(void) {
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGPROF;
  event.sigev_notify_thread_id = syscall(SYS_gettid);
  timer_t timer;
  struct itimerspec interval = {{0, 1000000}, {0, 1000000}};
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) timer_settime(timer, 0, &interval, NULL);
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  static int (*next)(int, const sigset_t *, sigset_t *);
  if (!next) next = (int (*)(int, const sigset_t *, sigset_t *))dlsym(RTLD_NEXT, "pthread_sigmask");
  if (!set || !of_threads) return next(how, set, old);
  sigset_t changed = *set;
  if (how != SIG_UNBLOCK) sigdelset(&changed, SIGPROF);
  return next(how, &changed, old);
}

struct start {
  void *(*routine)(void *);
  void *argument;
};

static void *begin(void *context) {
  struct start start = *(struct start *)context;
  free(context);
  time_this_thread();
  return start.routine(start.argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *), void *argument) {
  static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (!next) next = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
  if (!of_threads) return next(thread, attributes, routine, argument);
  struct start *start = malloc(sizeof *start);
  start->routine = routine;
  start->argument = argument;
  return next(thread, attributes, begin, start);
}

__attribute__((constructor)) static void start(void) {
  const char *word = getenv("TIMERS");
  of_threads = word && !strcmp(word, "threads");
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART | (of_threads ? SA_ONSTACK : 0);
  sigaction(SIGPROF, &action, NULL);
  sigaction(SIGALRM, &action, NULL);
  if (of_threads) return time_this_thread();
  struct itimerval interval = {{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &interval, NULL);
}

__attribute__((destructor)) static void stop(void) {
  const char *path = getenv("TIMERS_LOG");
  FILE *file = path ? fopen(path, "a") : NULL;
  if (!file) return;
  fprintf(file, "%ld on an alternate stack, %ld on the plain one\n", alternate, plain);
  fclose(file);
}

/* The program ends by this, which calls no destructors. */
void _exit(int status) {
  stop();
  syscall(SYS_exit_group, status);
  __builtin_unreachable();
}
