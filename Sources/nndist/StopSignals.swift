// Signals: those that ask a run to stop, and the thread that all signals go to.
import Glibc
import Synchronization

/// The signals of this process.
///
/// No handler may run on a thread that computes: oneDNN keeps data below the stack pointer, where a
/// handler writes. So signals are blocked on the main thread and on all that it starts, and one thread
/// that does nothing else stands by for them.
enum StopSignals {
  private static let isRequested = Atomic(false)

  /// The signals that stay with every thread: its own faults, and what stops a process in the background
  /// that reads from the terminal.
  private static let unblocked = [
    SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGTSTP, SIGTTIN, SIGTTOU,
  ]

  /// The time after the first request within which a SIGINT is that same one, sent to the process and to its group, as
  /// `timeout --signal=INT` does.
  private static let sameRequest: Duration = .milliseconds(20)

  /// Blocks signals on the calling thread, for it and for all threads that it starts.
  ///
  /// What comes before ``standBy(takingRequests:)`` waits for that.
  static func block() {
    var numbers = sigset_t()
    sigfillset(&numbers)
    for number in unblocked { sigdelset(&numbers, number) }
    pthread_sigmask(SIG_SETMASK, &numbers, nil)
  }

  /// Starts the thread that stands by for signals.
  ///
  /// - Parameter takesRequests: Whether SIGINT, SIGTERM, SIGUSR1, SIGUSR2 and, unless it is ignored as
  ///   under nohup, SIGHUP are requests to stop, and a second SIGINT ends the process at once. Else they
  ///   do what they do to any process.
  static func standBy(takingRequests takesRequests: Bool) {
    var requests = sigset_t()
    sigemptyset(&requests)
    if takesRequests {
      for number in [SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP]
      where number != SIGHUP || !isIgnored(number) {
        sigaddset(&requests, number)
        // Shells ignore SIGINT for what they start in the background.
        signal(number, SIG_DFL)
      }
    }
    let context = Unmanaged.passRetained(Requests(numbers: requests))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        StopSignals.wait(for: Unmanaged<Requests>.fromOpaque(context).takeRetainedValue().numbers)
      }, context.toOpaque())
    guard status != 0 else { return }
    // No thread is to be had: signals end the process, on the thread there is.
    context.release()
    sigemptyset(&requests)
    pthread_sigmask(SIG_SETMASK, &requests, nil)
  }

  /// Indicates whether a request has come.
  static var stopIsRequested: Bool { isRequested.load(ordering: .relaxed) }

  /// Notes requests for ever, while all other signals act on the calling thread.
  private static func wait(for requests: sigset_t) -> Never {
    var requests = requests
    pthread_sigmask(SIG_SETMASK, &requests, nil)
    var first: ContinuousClock.Instant?
    while true {
      var number: Int32 = 0
      // An empty set is waited for until the process ends.
      guard sigwait(&requests, &number) == 0 else { continue }
      isRequested.store(true, ordering: .relaxed)
      let now = ContinuousClock.now
      if number == SIGINT, let first, first.duration(to: now) > sameRequest {
        _exit(128 + SIGINT)
      }
      first = first ?? now
    }
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    sigaction(number, nil, &action)
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
      == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}

/// The requests that the thread stands by for.
private final class Requests {
  let numbers: sigset_t
  init(numbers: sigset_t) { self.numbers = numbers }
}
