/* usage: products SECONDS
 *
 * Products by oneDNN while a signal comes 5,000 times a second, taken the way the program takes signals: blocked on the
 * thread that computes, waited for by another. Status 0 if no product changes a bit.
 */
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static volatile long taken;

static void *take(void *context) {
  int number;
  while (sigwait(context, &number) == 0) taken++;
  return NULL;
}

int main(int count, char **words) {
  sigset_t all, one;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  sigemptyset(&one);
  sigaddset(&one, SIGALRM);
  pthread_t thread;
  if (count != 2 || pthread_create(&thread, NULL, take, &one)) return 64;
  struct itimerval interval = {{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &interval, NULL);
  const int extents[4][3] = {{9, 256, 64}, {9, 512, 512}, {512, 64, 9}, {70, 128, 256}};
  const int elements = 1 << 20;
  float *a = malloc(elements * sizeof *a), *b = malloc(elements * sizeof *b), *c = malloc(elements * sizeof *c);
  float *expected[16] = {0};
  for (int i = 0; i < elements; i++) {
    a[i] = (i * 37 % 101 - 50) / 50.f;
    b[i] = (i * 53 % 97 - 48) / 48.f;
  }
  long products = 0, wrong = 0;
  for (time_t end = time(NULL) + atoi(words[1]); time(NULL) < end;) {
    for (int k = 0; k < 16; k++) {
      const int m = extents[k % 4][0], n = extents[k % 4][1], d = extents[k % 4][2];
      const char ta = k & 4 ? 'T' : 'N', tb = k & 8 ? 'T' : 'N';
      dnnl_sgemm(ta, tb, m, n, d, 1, a, ta == 'T' ? m : d, b, tb == 'T' ? d : n, 0, c, n);
      products++;
      if (!expected[k]) {
        expected[k] = malloc((size_t)m * n * sizeof *c);
        memcpy(expected[k], c, (size_t)m * n * sizeof *c);
      } else if (memcmp(expected[k], c, (size_t)m * n * sizeof *c)) {
        wrong++;
      }
    }
  }
  printf("%ld products, %ld signals, %ld wrong\n", products, taken, wrong);
  return wrong > 0 || taken == 0;
}
