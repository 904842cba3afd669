// Signals: the requests to stop a run, and the thread that handles all signals.
import Glibc
import Synchronization

/// The signals of this process.
///
/// No handler may run on a thread that computes: oneDNN keeps data below the stack pointer, where a
/// handler writes. So signals are blocked on the main thread and on all threads that it starts, and a
/// separate thread waits for them.
enum StopSignals {
  private static let isRequested = Atomic(false)

  /// The signals that are not blocked: faults of a thread itself, and the stops of job control.
  private static let unblocked = [
    SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGTSTP, SIGTTIN, SIGTTOU,
  ]

  /// The time within which a second SIGINT counts as the first request: `timeout --signal=INT`, for example, sends
  /// one to the process and one to its group.
  private static let sameRequest: Duration = .milliseconds(20)

  /// Blocks signals on the calling thread and on all threads that it starts.
  ///
  /// Signals that arrive before ``standBy(takingRequests:)`` stay pending until then.
  static func block() {
    var numbers = sigset_t()
    sigfillset(&numbers)
    for number in unblocked { sigdelset(&numbers, number) }
    pthread_sigmask(SIG_SETMASK, &numbers, nil)
  }

  /// Starts the thread that waits for signals.
  ///
  /// - Parameter takesRequests: True to treat SIGINT, SIGTERM, SIGUSR1, SIGUSR2 and, unless it is ignored as
  ///   under nohup, SIGHUP as requests to stop, and to end the process at once on a second SIGINT. False to
  ///   keep their default effect.
  static func standBy(takingRequests takesRequests: Bool) {
    var requests = sigset_t()
    sigemptyset(&requests)
    if takesRequests {
      for number in [SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP]
      where number != SIGHUP || !isIgnored(number) {
        sigaddset(&requests, number)
        // Shells make background processes ignore SIGINT.
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
    // Without the thread, signals act on this one and end the process.
    context.release()
    sigemptyset(&requests)
    pthread_sigmask(SIG_SETMASK, &requests, nil)
  }

  /// Indicates whether a request to stop has arrived.
  static var stopIsRequested: Bool { isRequested.load(ordering: .relaxed) }

  /// Records requests for ever, while all other signals act on the calling thread.
  private static func wait(for requests: sigset_t) -> Never {
    var requests = requests
    pthread_sigmask(SIG_SETMASK, &requests, nil)
    var first: ContinuousClock.Instant?
    while true {
      var number: Int32 = 0
      // Waiting for an empty set lasts until the process ends.
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

/// The signals that the thread treats as requests.
private final class Requests {
  let numbers: sigset_t
  init(numbers: sigset_t) { self.numbers = numbers }
}
